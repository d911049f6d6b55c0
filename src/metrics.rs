//! All metrics in one struct, registered once per gateway (not per process: tests start several).
//!
//! Names start with `wecom_`. No label ever holds an id of a person, a text or a secret.

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Every metric of a gateway.
pub struct Metrics {
    registry: Registry,
    /// `{corp,app}`: 200 answered for a durable new event.
    pub callbacks_accepted: IntCounterVec,
    /// `{reason}`: `bad_signature`, `bad_key`, `wrong_receiveid`, `malformed`, `unknown_app`, `too_large`, `cannot_store`.
    pub callbacks_refused: IntCounterVec,
    /// `{corp,app}`: 200 answered for an event the store knew already.
    pub callbacks_duplicate: IntCounterVec,
    /// `{kind}`: Event, MsgType or `unknown`.
    pub events: IntCounterVec,
    /// `{corp}`: seconds between CreateTime and our acceptance (clocks differ: an indication).
    pub callback_lag: HistogramVec,
    /// `{rule}`: decisions by winning rule or channel; `none` where nothing matched.
    pub decided: IntCounterVec,
    /// `{what,reason}`: what was deliberately left undone.
    pub skipped: IntCounterVec,
    /// `{lane,outcome,reason}`.
    pub jobs: IntCounterVec,
    /// `{outcome,reason}`: per recipient where a call names several.
    pub recipients: IntCounterVec,
    /// Entries that could not be decided, now lying in quarantine.
    pub quarantined: IntCounter,
    /// `{lane}`: jobs without an outcome, in partitions owned here.
    pub queue_jobs: IntGaugeVec,
    /// `{lane}`: age of the oldest due job, seconds.
    pub queue_oldest: GaugeVec,
    /// Entries accepted and not yet decided, in partitions owned here.
    pub journal_waiting: IntGauge,
    /// `{path,errcode}`: seconds per API call; errcode `net` for no usable answer.
    pub api: HistogramVec,
    /// `{errcode}`: error codes that are in no table of ours.
    pub unknown_errcode: IntCounterVec,
    /// Events in the local spool.
    pub spool_depth: IntGauge,
    /// Age of the oldest event in the spool, seconds.
    pub spool_oldest: IntGauge,
    /// Partitions owned by this gateway.
    pub owned_partitions: IntGauge,
    /// Partitions lost (fence refused us or an answer was unclear).
    pub partitions_lost: IntCounter,
    /// `{corp,hash}`: 1 for the live bundle.
    pub bundle: IntGaugeVec,
    /// Steps of the store's clock over 2 s.
    pub clock_steps: IntCounter,
    /// Store generation changed: data was lost.
    pub data_loss: IntCounter,
    /// `{kind}`: latency from acceptance to WeCom's answer, seconds (`welcome`, `kf_message`, …).
    pub answer_seconds: HistogramVec,
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("wecom_{name}"), help)
}

fn hist(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(format!("wecom_{name}"), help).buckets(buckets.to_vec())
}

const LATENCY: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0,
];

impl Metrics {
    /// Registers all metrics. Fails only if two have one name, which is a bug that the first test shows.
    pub fn new() -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        macro_rules! reg {
            ($m:expr) => {{
                let m = $m;
                r.register(Box::new(m.clone()))?;
                m
            }};
        }
        Ok(Self {
            callbacks_accepted: reg!(IntCounterVec::new(
                opts("callbacks_accepted_total", "Events accepted durably"),
                &["corp", "app"]
            )?),
            callbacks_refused: reg!(IntCounterVec::new(
                opts("callbacks_refused_total", "Callbacks refused"),
                &["reason"]
            )?),
            callbacks_duplicate: reg!(IntCounterVec::new(
                opts("callbacks_duplicate_total", "Repeated callbacks"),
                &["corp", "app"]
            )?),
            events: reg!(IntCounterVec::new(opts("events_total", "Events by kind"), &["kind"])?),
            callback_lag: reg!(HistogramVec::new(
                hist("callback_lag_seconds", "CreateTime to acceptance", LATENCY),
                &["corp"]
            )?),
            decided: reg!(IntCounterVec::new(
                opts("decided_total", "Decisions by winning rule"),
                &["rule"]
            )?),
            skipped: reg!(IntCounterVec::new(
                opts("skipped_total", "Deliberately left undone"),
                &["what", "reason"]
            )?),
            jobs: reg!(IntCounterVec::new(
                opts("jobs_total", "Jobs by outcome"),
                &["lane", "outcome", "reason"]
            )?),
            recipients: reg!(IntCounterVec::new(
                opts("recipients_total", "Outcomes per recipient of calls that name several"),
                &["outcome", "reason"]
            )?),
            quarantined: reg!(IntCounter::with_opts(opts(
                "quarantined_total",
                "Entries that could not be decided"
            ))?),
            queue_jobs: reg!(IntGaugeVec::new(
                opts("queue_jobs", "Jobs without an outcome"),
                &["lane"]
            )?),
            queue_oldest: reg!(GaugeVec::new(
                opts("queue_oldest_seconds", "Age of the oldest due job"),
                &["lane"]
            )?),
            journal_waiting: reg!(IntGauge::with_opts(opts(
                "journal_waiting",
                "Accepted, not yet decided"
            ))?),
            api: reg!(HistogramVec::new(
                hist("api_seconds", "API calls", LATENCY),
                &["path", "errcode"]
            )?),
            unknown_errcode: reg!(IntCounterVec::new(
                opts("unknown_errcode_total", "Error codes in no table"),
                &["errcode"]
            )?),
            spool_depth: reg!(IntGauge::with_opts(opts("spool_events", "Events in the local spool"))?),
            spool_oldest: reg!(IntGauge::with_opts(opts(
                "spool_oldest_seconds",
                "Age of the oldest spooled event"
            ))?),
            owned_partitions: reg!(IntGauge::with_opts(opts(
                "owned_partitions",
                "Partitions owned by this gateway"
            ))?),
            partitions_lost: reg!(IntCounter::with_opts(opts("partitions_lost_total", "Partitions lost"))?),
            bundle: reg!(IntGaugeVec::new(opts("bundle", "Live bundle"), &["corp", "hash"])?),
            clock_steps: reg!(IntCounter::with_opts(opts(
                "clock_steps_total",
                "Steps of the store's clock over 2 s"
            ))?),
            data_loss: reg!(IntCounter::with_opts(opts(
                "data_loss_total",
                "Store generation changed"
            ))?),
            answer_seconds: reg!(HistogramVec::new(
                hist("answer_seconds", "Acceptance to WeCom's answer", LATENCY),
                &["kind"]
            )?),
            registry: r,
        })
    }

    /// The Prometheus text format.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        // Encoding fails only on an inconsistent registry; an empty page is the honest answer then.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_and_is_rendered() {
        let m = Metrics::new().unwrap();
        m.callbacks_refused.with_label_values(&["bad_signature"]).inc();
        assert!(
            m.render()
                .contains("wecom_callbacks_refused_total{reason=\"bad_signature\"} 1")
        );
    }
}
