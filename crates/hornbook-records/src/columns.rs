//! Values of Arrow columns as JSON.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, temporal_conversions};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Value};

/// True when values of that type can be written as JSON.
pub(crate) fn is_supported(kind: &DataType) -> bool {
    match kind {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        DataType::List(item) | DataType::LargeList(item) => is_supported(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        DataType::Dictionary(_, value) => is_supported(value),
        _ => false,
    }
}

/// One value as JSON; a number that JSON cannot hold (NaN, infinity) is null.
pub(crate) fn value_at(column: &ArrayRef, row: usize) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => number::<Int8Type>(column, row).into(),
        DataType::Int16 => number::<Int16Type>(column, row).into(),
        DataType::Int32 => number::<Int32Type>(column, row).into(),
        DataType::Int64 => number::<Int64Type>(column, row).into(),
        DataType::UInt8 => number::<UInt8Type>(column, row).into(),
        DataType::UInt16 => number::<UInt16Type>(column, row).into(),
        DataType::UInt32 => number::<UInt32Type>(column, row).into(),
        DataType::UInt64 => number::<UInt64Type>(column, row).into(),
        DataType::Float16 => number::<Float16Type>(column, row).to_f32().into(),
        DataType::Float32 => number::<Float32Type>(column, row).into(),
        DataType::Float64 => number::<Float64Type>(column, row).into(),
        DataType::Decimal128(..) => {
            column.as_primitive::<Decimal128Type>().value_as_string(row).into()
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => instant(column, row)?,
        DataType::List(_) => array(&column.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => array(&column.as_list::<i64>().value(row))?,
        DataType::Struct(fields) => {
            let mut object = Map::new();
            for (field, inner) in fields.iter().zip(column.as_struct().columns()) {
                object.insert(field.name().clone(), value_at(inner, row)?);
            }
            Value::Object(object)
        }
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let keys = dictionary.normalized_keys();
            let key = keys.get(row).ok_or("a dictionary key is missing")?;
            value_at(dictionary.values(), *key)?
        }
        other => return Err(format!("unsupported type {other}")),
    })
}

fn number<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

fn array(items: &ArrayRef) -> Result<Value, String> {
    (0..items.len()).map(|row| value_at(items, row)).collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// Dates as `2026-01-31`, times as `2026-01-31T12:00:00`, with `Z` when the column has a zone.
fn instant(column: &ArrayRef, row: usize) -> Result<Value, String> {
    let out_of_range = || "a time is out of range".to_owned();
    let day = |time: Option<_>| time.ok_or_else(out_of_range);
    let (time, suffix) = match column.data_type() {
        DataType::Date32 => {
            let days = number::<Date32Type>(column, row);
            let time = day(temporal_conversions::date32_to_datetime(days))?;
            return Ok(time.format("%Y-%m-%d").to_string().into());
        }
        DataType::Date64 => {
            let millis = number::<Date64Type>(column, row);
            let time = day(temporal_conversions::date64_to_datetime(millis))?;
            return Ok(time.format("%Y-%m-%d").to_string().into());
        }
        DataType::Timestamp(unit, zone) => {
            let time = match unit {
                TimeUnit::Second => {
                    temporal_conversions::timestamp_s_to_datetime(number::<TimestampSecondType>(
                        column, row,
                    ))
                }
                TimeUnit::Millisecond => {
                    temporal_conversions::timestamp_ms_to_datetime(
                        number::<TimestampMillisecondType>(column, row),
                    )
                }
                TimeUnit::Microsecond => {
                    temporal_conversions::timestamp_us_to_datetime(
                        number::<TimestampMicrosecondType>(column, row),
                    )
                }
                TimeUnit::Nanosecond => {
                    temporal_conversions::timestamp_ns_to_datetime(
                        number::<TimestampNanosecondType>(column, row),
                    )
                }
            };
            (time, if zone.is_some() { "Z" } else { "" })
        }
        other => return Err(format!("unsupported type {other}")),
    };
    let time = time.ok_or_else(out_of_range)?;
    Ok(format!("{}{suffix}", time.format("%Y-%m-%dT%H:%M:%S%.f")).into())
}
