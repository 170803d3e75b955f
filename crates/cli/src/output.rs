//! Rows on stdout: tables for people, JSON and CSV for programs.

use crate::args::Format;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use std::io::{IsTerminal, Write};

/// Whether stdout takes colours: a terminal, and `NO_COLOR` unset.
pub(crate) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line of text to stdout.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// Prints a ranking: as a table with marks for controls and times to the minute, so that there
/// is room for reasons; in other formats as it is.
pub(crate) fn ranking(batches: &[RecordBatch], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Table => table(batches, true),
        _ => rows(batches, format),
    }
}

/// Prints all rows in the given format.
pub(crate) fn rows(batches: &[RecordBatch], format: Format) -> anyhow::Result<()> {
    let out = std::io::stdout().lock();
    match format {
        Format::Table => return table(batches, false),
        Format::Json => {
            let mut writer = arrow_json::ArrayWriter::new(out);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
            writeln!(writer.into_inner())?;
        }
        Format::Ndjson => {
            let mut writer = arrow_json::LineDelimitedWriter::new(out);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        Format::Csv => {
            let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(out);
            for batch in batches {
                writer.write(&flat(batch)?)?;
            }
        }
    }
    Ok(())
}

/// Lists as text, which CSV needs.
fn flat(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::Schema;
    use std::sync::Arc;
    let schema = batch.schema();
    let (fields, columns): (Vec<_>, Vec<ArrayRef>) = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if !field.data_type().is_nested() {
                return Ok((field.clone(), column.clone()));
            }
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let texts = (0..column.len()).map(|row| Some(formatter.value(row).to_string()));
            let texts: StringArray = texts.collect();
            Ok((Arc::new(Field::new(field.name(), DataType::Utf8, true)), Arc::new(texts) as ArrayRef))
        })
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// A table fitted to the terminal; 120 columns where there is none.
fn table(batches: &[RecordBatch], is_short: bool) -> anyhow::Result<()> {
    let Some(first) = batches.first() else { return line("(no rows)") };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        table.set_width(140);
    }
    table.set_header(first.schema().fields().iter().map(|field| field.name().replace('_', " ")));
    let options = FormatOptions::default().with_null("–");
    let mut count = 0;
    for batch in batches {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().zip(schema.fields()).map(|(formatter, field)| {
                let text = formatter.value(row).to_string();
                cell(&if is_short { short(field, text) } else { text })
            });
            table.add_row(cells.collect::<Vec<_>>());
            count += 1;
        }
    }
    line(&table.to_string())?;
    line(&format!("{count} row{}", if count == 1 { "" } else { "s" }))
}

/// What a control gave as a mark, a time to the minute.
fn short(field: &Field, text: String) -> String {
    let is_control = matches!(field.name().as_bytes(), [b't', b'1'..=b'7']);
    match text.as_str() {
        "pass" if is_control => "✓".to_owned(),
        "fail" if is_control => "✗".to_owned(),
        "unknown" if is_control => "?".to_owned(),
        time if matches!(field.data_type(), DataType::Timestamp(..)) => {
            time.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
        }
        _ => text,
    }
}

/// One cell, severities in colour, control characters shown and not obeyed.
fn cell(text: &str) -> Cell {
    let safe: String =
        text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect();
    let colour = match text {
        "critical" | "high" if colours() => Some(Color::Red),
        "medium" if colours() => Some(Color::Yellow),
        _ => None,
    };
    let cell = Cell::new(safe);
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}
