//! The limiter and the quota book exist twice, in Rust and in Lua: the same random questions, at random times of
//! four centuries, must get the same answers.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::harness::*;
use wecom_gateway::store::{Ask, QuotaRule, Reserve, Window};

#[derive(Debug, Clone)]
enum Question {
    Permit(Vec<(u8, Vec<(u32, u32)>)>),
    Freeze(u8, u32),
    Reserve {
        contacts: Vec<(u8, Option<u8>)>,
        rule: [Option<u32>; 4],
        again: bool,
    },
    Settle {
        back: u8,
        refund: Vec<u8>,
    },
    Forward(i64),
    Back(i64),
}

fn a_question() -> impl Strategy<Value = Question> {
    let lengths = prop_oneof![Just(1_000u32), Just(7_777), 50u32..100_000];
    let windows = prop::collection::btree_map(lengths, 0u32..5, 0..3).prop_map(|w| w.into_iter().collect());
    let scopes = prop::collection::btree_map(0u8..3, windows, 0..3);
    let contacts = prop::collection::btree_map(0u8..4, prop::option::of(0u8..2), 1..4);
    prop_oneof![
        4 => scopes.prop_map(|s| Question::Permit(s.into_iter().collect())),
        1 => (0u8..3, 0u32..5_000).prop_map(|(s, ms)| Question::Freeze(s, ms)),
        4 => (contacts, prop::array::uniform4(prop::option::of(0u32..4)), prop::bool::weighted(0.2))
            .prop_map(|(c, rule, again)| Question::Reserve { contacts: c.into_iter().collect(), rule, again }),
        1 => (0u8..3, prop::collection::vec(0u8..4, 0..4)).prop_map(|(back, refund)| Question::Settle { back, refund }),
        4 => prop_oneof![0i64..3_000, 0i64..100_000_000, 0i64..3_000_000_000].prop_map(Question::Forward),
        1 => (0i64..200_000).prop_map(Question::Back),
    ]
}

/// Asks one store everything; the answers in words.
async fn answers(h: &Harness, case: u32, start: i64, questions: &[Question]) -> Vec<String> {
    h.set_time(start);
    let corp = format!("ww{case}");
    let name = |i: usize| format!("{case}/r{i}");
    // When each reservation was made: both stores know one for a day, but Redis counts that day by its own clock,
    // which the test does not move.
    let (mut out, mut made): (Vec<String>, Vec<i64>) = (Vec::new(), Vec::new());
    let fresh = |made: &[i64], i: usize| made.get(i).is_some_and(|t| h.now().0 - t < 43_200_000);
    for q in questions {
        out.push(match q {
            Question::Permit(scopes) => {
                let windows = |w: &Vec<(u32, u32)>| {
                    w.iter()
                        .map(|(ms, limit)| Window {
                            window: Duration::from_millis(u64::from(*ms)),
                            limit: *limit,
                        })
                        .collect()
                };
                let ask = Ask {
                    scopes: scopes.iter().map(|(s, w)| (format!("s{s}"), windows(w))).collect(),
                };
                format!("{:?}", h.store.permit(&corp, &[ask.clone(), ask]).await.unwrap())
            }
            Question::Freeze(s, ms) => {
                let pause = Duration::from_millis(u64::from(*ms));
                format!("{:?}", h.store.freeze(&corp, &format!("s{s}"), pause).await.unwrap())
            }
            Question::Reserve { contacts, rule, again } => {
                if !again || !fresh(&made, made.len().wrapping_sub(1)) {
                    made.push(h.now().0);
                }
                let asked = Reserve {
                    partition: part(5),
                    id: name(made.len() - 1),
                    corp: corp.clone(),
                    contacts: contacts
                        .iter()
                        .map(|(c, m)| (format!("c{c}"), m.map(|m| format!("m{m}"))))
                        .collect(),
                    rule: QuotaRule {
                        per_day: rule[0],
                        per_week: rule[1],
                        per_month: rule[2],
                        member_per_day: rule[3],
                    },
                };
                format!("{:?}", h.store.reserve(&asked).await.unwrap())
            }
            Question::Settle { back, refund } => {
                let i = made.len().wrapping_sub(1 + usize::from(*back));
                if !fresh(&made, i) {
                    continue;
                }
                let refund: Vec<String> = refund.iter().map(|c| format!("c{c}")).collect();
                format!("{:?}", h.store.settle(part(5), &name(i), &refund).await)
            }
            Question::Forward(ms) => {
                h.set_time(h.now().0 + ms);
                String::new()
            }
            Question::Back(ms) => {
                h.set_time(h.now().0 - ms);
                String::new()
            }
        });
    }
    out
}

#[test]
fn rust_and_lua_count_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sqlite = Harness::sqlite();
    let redis = runtime.block_on(Harness::redis());
    let case = std::cell::Cell::new(0u32);
    // 1970 to 2370; never before the first day, where Redis' own expiry would interfere.
    let sequences = (
        86_400_000i64..12_622_780_800_000,
        prop::collection::vec(a_question(), 1..40),
    );
    TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    })
    .run(&sequences, |(start, questions)| {
        case.set(case.get() + 1);
        let one = runtime.block_on(answers(&sqlite, case.get(), start, &questions));
        let other = runtime.block_on(answers(&redis, case.get(), start, &questions));
        prop_assert_eq!(one, other);
        Ok(())
    })
    .unwrap();
}
