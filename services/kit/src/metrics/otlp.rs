//! What the registries hold, as OTLP says it: the same names, labels and numbers as a scrape.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::declaration::{Kind, Unit};
use super::instrument::{Buckets, Reading};
use super::registry::{Gathered, Registry, Sample};

/// From when to when the numbers count, in nanoseconds since 1970.
#[derive(Copy, Clone, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// All metrics of these registries, counted since the process started.
pub(super) fn request(
    resource: &[(&'static str, String)],
    registries: &[&Registry],
    span: Span,
) -> ExportMetricsServiceRequest {
    let gathered = registries.iter().flat_map(|registry| registry.gather());
    let attributes = resource.iter().map(|(key, value)| attribute(key, value));
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.collect(),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "cartwright".to_owned(),
                    version: crate::VERSION.to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics: gathered.map(|one| metric(&one, span)).collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn metric(gathered: &Gathered, span: Span) -> Metric {
    let unit = match gathered.declaration.unit {
        Unit::Count => "1",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
    };
    let numbers = || {
        let points = gathered.samples.iter();
        points
            .filter_map(|sample| number(gathered, sample, span))
            .collect()
    };
    let since_start = i32::from(AggregationTemporality::Cumulative);
    let data = match gathered.declaration.kind {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: since_start,
            is_monotonic: true,
        }),
        Kind::Gauge | Kind::Info => Data::Gauge(Gauge {
            data_points: numbers(),
        }),
        Kind::Histogram(_) => Data::Histogram(Histogram {
            data_points: gathered
                .samples
                .iter()
                .filter_map(|sample| histogram(gathered, sample, span))
                .collect(),
            aggregation_temporality: since_start,
        }),
    };
    Metric {
        name: gathered.name.clone(),
        description: gathered.declaration.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(gathered: &Gathered, sample: &Sample, span: Span) -> Option<NumberDataPoint> {
    let Reading::Number(value) = sample.reading else {
        return None;
    };
    Some(NumberDataPoint {
        attributes: labels(gathered, sample),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    })
}

fn histogram(gathered: &Gathered, sample: &Sample, span: Span) -> Option<HistogramDataPoint> {
    let Reading::Buckets(buckets) = &sample.reading else {
        return None;
    };
    let Buckets {
        bounds,
        counts,
        sum,
    } = buckets;
    Some(HistogramDataPoint {
        attributes: labels(gathered, sample),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        count: buckets.count(),
        sum: Some(*sum),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    })
}

fn labels(gathered: &Gathered, sample: &Sample) -> Vec<KeyValue> {
    let declared = gathered.declaration.labels.iter();
    declared
        .zip(&sample.labels)
        .map(|(label, value)| attribute(label.name, value))
        .collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Counter, Declared, Label};
    use super::*;

    static ANSWERS: Declared<Counter> =
        Declared::counter("answers", "Answers.").labels(&[Label::closed("plan", &["a", "b"])]);
    static TIMES: Declared<super::super::Histogram> = Declared::latency("time", "Times.");

    #[test]
    fn a_push_says_what_a_scrape_says() {
        let mut registry = Registry::new("toy");
        registry.family(&ANSWERS).with(["b"]).add(7);
        registry.one(&TIMES).observe(Duration::from_micros(80));
        let span = Span { from: 1, to: 2 };
        let resource = [("service.name", "toy".to_owned())];
        let mut request = request(&resource, &[&registry], span);
        let pushed = request.resource_metrics.remove(0).scope_metrics.remove(0);
        let [answers, times] = &pushed.metrics[..] else {
            panic!("{pushed:?}");
        };
        assert_eq!(answers.name, "cartwright_toy_answers_total");
        let Some(Data::Sum(sum)) = &answers.data else {
            panic!("{answers:?}");
        };
        assert!(sum.is_monotonic);
        let seven = Some(number_data_point::Value::AsDouble(7.0));
        assert_eq!(sum.data_points[1].value, seven);
        assert_eq!(sum.data_points[1].attributes, [attribute("plan", "b")]);
        let Some(Data::Histogram(histogram)) = &times.data else {
            panic!("{times:?}");
        };
        assert_eq!(times.unit, "s");
        let point = &histogram.data_points[0];
        assert_eq!(point.bucket_counts[..3], [0, 1, 0]);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.count, 1);
    }
}
