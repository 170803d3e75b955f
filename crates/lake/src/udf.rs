//! `key(column)`: a 128-bit key as 32 hexadecimal digits.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow_schema::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::fmt::Write;
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct KeyText {
    signature: Signature,
}

/// The function, ready to register.
pub(crate) fn key() -> ScalarUDF {
    let types = [DataType::Binary, DataType::BinaryView, DataType::LargeBinary, DataType::Null];
    let signatures = types.into_iter().map(|data_type| TypeSignature::Exact(vec![data_type])).collect();
    ScalarUDF::from(KeyText { signature: Signature::one_of(signatures, Volatility::Immutable) })
}

impl ScalarUDFImpl for KeyText {
    fn name(&self) -> &str {
        "key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = args.args.as_slice() else { return exec_err!("key takes one argument") };
        let array = argument.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(hex(&array)?))
    }
}

fn hex(array: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().iter().map(|bytes| bytes.map(digits)).collect(),
        DataType::LargeBinary => array.as_binary::<i64>().iter().map(|bytes| bytes.map(digits)).collect(),
        DataType::BinaryView => array.as_binary_view().iter().map(|bytes| bytes.map(digits)).collect(),
        DataType::Null => StringArray::new_null(array.len()),
        other => return exec_err!("key takes a key column, not {other}"),
    };
    Ok(Arc::new(texts))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        if write!(text, "{byte:02x}").is_err() {
            unreachable!("writing to a String cannot fail");
        }
        text
    })
}
