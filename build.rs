//! Turns the text catalogues of `src/locales` into typed keys, and follows changes of the migrations.
//!
//! `leptos_i18n_build` would do the first and bring ICU's data sources along, which texts without
//! plural rules do not need; so its two parts are called directly.

use leptos_i18n_parser::parse_locales::{
    options::{Config, ParseOptions},
    parse_locales,
};
use std::{env, error::Error, fs, path::PathBuf};

const LOCALES: &str = "src/locales";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={LOCALES}");
    println!("cargo:rerun-if-changed=migrations");

    let mut namespaces = Vec::new();
    for file in fs::read_dir(format!("{LOCALES}/en"))? {
        let path = file?.path();
        namespaces.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    namespaces.sort();
    let config = Config::new("en")?
        .add_locale("es")?
        .add_namespaces(namespaces)?
        .locales_path(PathBuf::from(LOCALES))
        .parse_options(ParseOptions::new().interpolate_display(true));
    let parsed = parse_locales(None, config)?;
    for warning in parsed.diag.warnings().iter() {
        // A text that one language lacks is a fault of ours, not something to fall back from.
        println!("cargo::error={warning}");
    }
    for error in parsed.diag.errors().iter() {
        println!("cargo::error={error}");
    }
    let code = leptos_i18n_codegen::gen_code(&parsed, None, false, None, false)?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("i18n.rs"), code.to_string())?;
    Ok(())
}
