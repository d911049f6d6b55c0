//! Every promise of `store::Store`, held against both stores.

mod support;

use support::harness::Harness;

macro_rules! suite {
    ($($module:ident :: $name:ident;)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::support::suite::$module::$name(&super::Harness::sqlite()).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::support::suite::$module::$name(&super::Harness::redis().await).await;
            })*
        }
    };
}

suite! {
    journal::numbers_are_gapless_from_one_and_entries_come_back_in_order;
    journal::a_batch_over_several_partitions_answers_in_its_own_order;
    journal::the_age_is_subtracted_from_the_stores_own_time;
    journal::a_known_mark_is_a_duplicate_for_at_least_as_long_as_its_kind_says;
    journal::one_mark_twice_in_a_batch_is_journalled_once;
    journal::marks_of_two_kinds_do_not_meet;
    journal::concurrent_repeats_of_one_event_leave_one_entry;
    journal::too_large_a_batch_is_refused_whole;
    journal::own_entries_get_the_next_numbers_and_respect_marks;
    journal::what_is_not_decided_is_never_trimmed_and_what_is_decided_goes_after_keep;
    journal::a_wake_names_the_partition_and_only_when_asked;
    journal::the_journal_keeps_first_acceptance_even_before_the_epoch;
    owner::a_new_store_has_64_records_without_an_owner;
    owner::acquire_raises_the_epoch_and_tells_position_and_head;
    owner::only_the_record_exactly_as_seen_is_replaced;
    owner::of_two_who_want_the_same_record_one_gets_it;
    owner::a_beat_raises_what_is_ours_and_says_what_is_not;
    owner::release_keeps_the_epoch_and_only_the_owner_can;
    owner::a_stale_fence_or_position_changes_nothing;
    owner::the_position_stays_between_where_it_was_and_the_head;
    owner::the_living_are_those_who_spoke_within_five_seconds_and_take_partitions;
    owner::the_generation_is_one_and_the_same;
    outbox::due_jobs_come_by_time_then_id_and_by_lane;
    followers::a_follower_becomes_due_only_when_the_one_before_it_has_ended;
    followers::a_follower_of_a_job_that_has_ended_is_due_at_once;
    followers::a_chain_that_ends_in_one_step_releases_what_is_left_open;
    followers::a_waiting_job_that_is_ended_early_lets_its_own_follower_go;
    followers::a_second_follower_and_a_second_job_of_one_id_are_refused_whole;
    outbox::a_start_counts_and_keeps_the_first_time_that_may_have_arrived;
    outbox::a_refused_only_try_leaves_no_trace_but_the_attempt;
    outbox::the_nonce_is_that_of_who_started_last;
    outbox::what_names_a_job_that_is_gone_is_passed_over;
    followers::a_waiting_job_can_be_deferred_and_still_waits;
    outbox::one_step_may_add_start_defer_and_end_in_that_order;
    records::history_is_newest_first_and_capped_at_a_thousand;
    records::documents_live_as_long_as_they_were_given;
    records::quarantine_keeps_entry_and_reason_and_the_position_advances;
    records::counters_add_up;
    records::figures_count_waiting_jobs_but_the_oldest_is_a_head;
    records::too_large_a_commit_is_refused_whole;
    limits::no_rolling_window_holds_more_than_its_limit_and_95_of_100_are_usable;
    limits::the_longer_window_holds_too;
    limits::all_scopes_have_room_or_none_is_taken;
    limits::a_refusal_names_the_exact_time_and_not_a_millisecond_too_early;
    limits::concurrent_askers_share_one_window;
    limits::a_frozen_scope_refuses_until_its_time_and_a_shorter_pause_never_shortens;
    limits::a_clock_set_back_stalls_for_one_window_at_most_and_opens_nothing;
    limits::an_ask_that_names_a_scope_twice_is_refused;
    limits::quota_is_per_contact_and_calendar_day_in_china;
    limits::the_same_reservation_again_returns_the_same_and_takes_nothing;
    limits::settling_refunds_once_and_only_what_was_reserved;
    limits::of_several_full_windows_the_one_that_ends_last_is_named;
    limits::the_week_begins_on_monday;
    limits::a_members_day_counts_per_member;
    limits::no_rule_is_no_limit_and_zero_is_always_full;
    limits::a_reservation_of_256_contacts_fits_and_twice_one_contact_does_not;
    shared::a_value_is_set_only_by_who_knows_its_version;
    shared::a_deleted_value_is_absent_and_its_version_never_comes_back;
    shared::of_many_who_set_at_once_one_wins;
    shared::a_value_that_has_expired_is_absent;
}
