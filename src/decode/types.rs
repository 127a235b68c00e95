//! The declared types: which Arrow type each becomes, and which decoder reads it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Int32Type, Int64Type, TimeUnit};

use crate::decode::boolean::BoolColumn;
use crate::decode::column::ColumnDecoder;
use crate::decode::date::DateColumn;
use crate::decode::decimal::DecimalColumn;
use crate::decode::json::JsonColumn;
use crate::decode::list::ListColumn;
use crate::decode::number::{FloatColumn, IntColumn};
use crate::decode::text::TextColumn;
use crate::decode::timestamp::TimestampColumn;
use crate::error::Result;
use crate::spec::table::{Field, FieldType, Scalar};

/// The decoder of a declared field.
///
/// # Errors
/// `Config` for a decimal that Arrow does not have.
pub(crate) fn decoder_of(field: &Field) -> Result<Box<dyn ColumnDecoder>> {
    Ok(match field.kind {
        FieldType::Scalar(scalar) => decoder_of_scalar(field, scalar)?,
        FieldType::Json => Box::new(JsonColumn::default()),
        FieldType::List(scalar) => Box::new(ListColumn::new(
            Arc::new(item_of(scalar)),
            decoder_of_scalar(field, scalar)?,
            scalar == Scalar::String,
        )),
    })
}

fn decoder_of_scalar(field: &Field, scalar: Scalar) -> Result<Box<dyn ColumnDecoder>> {
    Ok(match scalar {
        Scalar::String => Box::new(TextColumn::new(field)),
        Scalar::Bool => Box::new(BoolColumn::default()),
        Scalar::Int32 => Box::new(IntColumn::<Int32Type>::new(field)),
        Scalar::Int64 => Box::new(IntColumn::<Int64Type>::new(field)),
        Scalar::Float64 => Box::new(FloatColumn::new(field)),
        Scalar::Decimal { precision, scale } => {
            Box::new(DecimalColumn::new(field, precision, scale)?)
        }
        Scalar::Date => Box::new(DateColumn::new(field)),
        Scalar::Timestamp => Box::new(TimestampColumn::new(field)),
    })
}

/// The Arrow type of a declared type.
pub(crate) fn arrow_type(kind: &FieldType) -> DataType {
    match kind {
        FieldType::Scalar(scalar) => scalar_type(*scalar),
        FieldType::Json => DataType::Utf8View,
        FieldType::List(scalar) => DataType::List(Arc::new(item_of(*scalar))),
    }
}

fn item_of(scalar: Scalar) -> ArrowField {
    ArrowField::new_list_field(scalar_type(scalar), true)
}

fn scalar_type(scalar: Scalar) -> DataType {
    match scalar {
        Scalar::String => DataType::Utf8,
        Scalar::Bool => DataType::Boolean,
        Scalar::Int32 => DataType::Int32,
        Scalar::Int64 => DataType::Int64,
        Scalar::Float64 => DataType::Float64,
        Scalar::Decimal { precision, scale } => {
            DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
        }
        Scalar::Date => DataType::Date32,
        Scalar::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}
