//! Packs the rules of `rules/*.toml` into one JSON text: every command reads it when it
//! starts, and TOML takes three times as long.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=rules");
    let files = fs::read_dir("rules")?.map(|file| Ok(file?.path()));
    let mut files = files.collect::<std::io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension().is_some_and(|name| name == "toml"));
    // The order of rules is part of what they find.
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for (name, value) in table {
            match value {
                toml::Value::Array(more) if name == "rules" => rules.extend(more),
                _ => return Err(format!("{}: {name} is no list of rules", file.display()).into()),
            }
        }
    }
    let packed = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("rules.json");
    Ok(fs::write(packed, serde_json::to_string(&rules)?)?)
}
