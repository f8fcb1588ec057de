//! Questions in Firestore's words.

use gcloud_sdk::google::firestore::v1::structured_query::{
    CollectionSelector, CompositeFilter, Direction, FieldFilter, FieldReference, Filter, Order, composite_filter,
    field_filter, filter,
};
use gcloud_sdk::google::firestore::v1::{self as proto, value::ValueType};

use crate::store::Query;
use crate::store::query::GRAIN;

/// The question; its parent goes beside it.
pub(super) fn to_proto(query: &Query) -> proto::StructuredQuery {
    use field_filter::Operator;
    let mut filters: Vec<Filter> =
        query.equal.iter().map(|(field, text)| compare(field, Operator::Equal, text)).collect();
    if let Some((first, last)) = &query.grains {
        filters.push(compare(GRAIN, Operator::GreaterThanOrEqual, first));
        filters.push(compare(GRAIN, Operator::LessThanOrEqual, last));
    }
    let filter = match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(Filter {
            filter_type: Some(filter::FilterType::CompositeFilter(CompositeFilter {
                op: composite_filter::Operator::And.into(),
                filters,
            })),
        }),
    };
    proto::StructuredQuery {
        from: vec![CollectionSelector {
            collection_id: query.collection.clone(),
            all_descendants: query.parent.is_none(),
        }],
        r#where: filter,
        order_by: query
            .descending
            .map(|field| Order { field: Some(reference(field)), direction: Direction::Descending.into() })
            .into_iter()
            .collect(),
        limit: i32::try_from(query.limit).ok().filter(|limit| *limit > 0),
        ..Default::default()
    }
}

fn compare(field: &str, operator: field_filter::Operator, text: &str) -> Filter {
    Filter {
        filter_type: Some(filter::FilterType::FieldFilter(FieldFilter {
            field: Some(reference(field)),
            op: operator.into(),
            value: Some(proto::Value { value_type: Some(ValueType::StringValue(text.to_owned())) }),
        })),
    }
}

fn reference(field: &str) -> FieldReference {
    FieldReference { field_path: field.to_owned() }
}
