//! The layers of the crate, as a test: which module may refer to which, and where each library may be used.
//!
//! It reads the paths in the source text, in `use` declarations and elsewhere. What a macro makes up stays unseen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules, each with the siblings that it may refer to. All may refer to `error`.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("text", &[]),
    ("gguf", &[]),
    ("store", &[]),
    ("fetch", &[]),
    ("sampling", &[]),
    ("backend", &["gguf", "sampling"]),
    ("model", &["backend", "gguf", "sampling"]),
    ("generate", &["backend", "model", "sampling"]),
    ("engine", &["backend", "generate", "model", "sampling", "text"]),
    ("probe", &["backend", "generate", "gguf", "model", "sampling"]),
    ("load", &["backend", "engine", "fetch", "gguf", "model", "store", "text"]),
    ("web", &["backend", "engine", "fetch", "generate", "load", "probe", "sampling", "store", "text"]),
];

/// What `lib.rs` re-exports and the modules may use in its short form. Anything else is named by its module.
const ROOT_ITEMS: &[&str] = &["Error", "ErrorKind", "Result"];

/// Where JavaScript may be reached from.
const JAVASCRIPT: &[&str] =
    &["backend/cpu/event_loop.rs", "backend/gpu/adapter_info.rs", "fetch/http.rs", "store/indexed_db.rs", "web/"];

/// Libraries that have one door: the folders and files of `src/` that may use them.
const DOORS: &[Door] = &[
    Door { library: "wgpu", places: &["backend/gpu/"], also_in_tests: false },
    Door { library: "candle_core", places: &["gguf/"], also_in_tests: true },
    Door { library: "tokenizers", places: &["text/"], also_in_tests: false },
    Door { library: "minijinja", places: &["text/"], also_in_tests: false },
    Door { library: "minijinja_contrib", places: &["text/"], also_in_tests: false },
    Door { library: "idb", places: JAVASCRIPT, also_in_tests: false },
    Door { library: "js_sys", places: JAVASCRIPT, also_in_tests: false },
    Door { library: "serde_wasm_bindgen", places: JAVASCRIPT, also_in_tests: false },
    Door { library: "wasm_bindgen", places: JAVASCRIPT, also_in_tests: false },
    Door { library: "wasm_bindgen_futures", places: JAVASCRIPT, also_in_tests: false },
    Door { library: "web_sys", places: JAVASCRIPT, also_in_tests: false },
];

struct Door {
    library: &'static str,
    places: &'static [&'static str],
    also_in_tests: bool,
}

#[test]
fn every_module_keeps_to_its_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > 3, "found only {files:?}");
    let mut breaches = Vec::new();
    for path in files {
        let file = path.strip_prefix(&src).expect("the file is in src").to_str().expect("its name is UTF-8");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        breaches.extend(breaches_in(&file.replace('\\', "/"), &text));
    }
    assert!(breaches.is_empty(), "{} breaches of the layers:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn breaches_are_found() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("a plain use", "text/mod.rs", "use crate::gguf::Header;", &["gguf"]),
        ("a path in code", "text/mod.rs", "fn f(header: crate::gguf::Header) {}", &["gguf"]),
        ("a nested group", "gguf/mod.rs", "use crate::{error::Error, model::{a::B, self}};", &["model"]),
        ("super from a file", "text/tokenizer.rs", "use super::super::gguf::Header;", &["gguf"]),
        ("super from mod.rs", "text/mod.rs", "use super::store::Store;", &["store"]),
        ("super from an inline module", "text/mod.rs", "mod a { use super::super::store::Store; }", &["store"]),
        ("super after an inline module", "text/mod.rs", "mod a { fn f() {} } use super::store::Store;", &["store"]),
        ("a group of supers", "text/tokenizer.rs", "use super::{vocabulary::V, super::gguf};", &["gguf"]),
        ("an upward import", "model/qwen.rs", "use crate::generate::Sampler;", &["generate"]),
        ("the root's own short name", "model/qwen.rs", "use crate::Engine;", &["Engine"]),
        ("everything of the root", "model/qwen.rs", "use crate::*;", &["*"]),
        ("a library", "model/qwen.rs", "use wgpu::Device;", &["wgpu"]),
        ("a library's path", "model/qwen.rs", "fn f(device: &wgpu::Device) {}", &["wgpu"]),
        ("a library from the root", "model/qwen.rs", "fn f(device: &::wgpu::Device) {}", &["wgpu"]),
        ("a library under another name", "model/qwen.rs", "use wgpu as gpu;", &["wgpu"]),
        ("a library in a group", "model/qwen.rs", "use {std::fmt, wgpu::{Device, Queue}};", &["wgpu"]),
        ("a library in an attribute", "load.rs", "#[wasm_bindgen::prelude::wasm_bindgen] fn f() {}", &["wasm_bindgen"]),
        ("JavaScript beside its door", "fetch/mod.rs", "use js_sys::Array;", &["js_sys"]),
        ("a GPU library in tests", "model/qwen.rs", "mod tests { use wgpu::Device; }", &["wgpu"]),
        ("a module without a layer", "extras.rs", "", &["extras"]),
    ];
    for (name, file, text, expected) in cases {
        let found = breaches_in(file, text);
        assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
        for (breach, word) in found.iter().zip(*expected) {
            assert!(breach.contains(&format!("`{word}`")), "{name}: {breach}");
        }
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let cases: &[(&str, &str, &str)] = &[
        ("a lower layer", "model/qwen.rs", "use crate::{backend::Backend, gguf::TensorType};"),
        ("the own module", "text/tokenizer.rs", "use crate::text::vocabulary::V; use super::message::Message;"),
        ("errors", "gguf/mod.rs", "use crate::error::{Error, ErrorKind}; use crate::Result;"),
        ("an inline module's parent", "text/mod.rs", "mod tests { use super::*; fn f() { super::g(); } }"),
        ("the door itself", "backend/gpu/device.rs", "use wgpu::Device;"),
        ("the reference in tests", "backend/gpu/device.rs", "mod tests { use candle_core::Tensor; }"),
        ("a comment", "text/mod.rs", "//! See [`crate::gguf`].\n/* use /* wgpu::Device; */ wgpu::Queue; */"),
        ("a string", "text/mod.rs", r##"const A: &str = "crate::gguf \" wgpu::A"; const B: &str = r#"" wgpu::B"#;"##),
        (
            "quotes and lifetimes",
            "text/mod.rs",
            "fn f<'a>(a: &'a str) -> char { if a == \"\" { '\"' } else { '\\'' } }",
        ),
        (
            "a name that a path only contains",
            "model/qwen.rs",
            "use crate::backend::wgpu::A; fn f() { wgpu(); a.wgpu; }",
        ),
        ("the crate's root", "lib.rs", "pub use engine::Engine; pub use crate::load::load;"),
    ];
    for (name, file, text) in cases {
        assert_eq!(breaches_in(file, text), Vec::<String>::new(), "{name}");
    }
}

fn rust_files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = BTreeSet::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path);
        }
    }
    files
}

/// The breaches in one file; `file` is its path from `src/`.
fn breaches_in(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(own) = module.first() else {
        return Vec::new(); // lib.rs stands above the layers.
    };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| name == own) else {
        return vec![format!("src/{file}: the module `{own}` has no layer: add it to LAYERS")];
    };
    let mut breaches = Vec::new();
    for reference in references_in(text, &module) {
        let breach = match &reference.target {
            Target::Sibling(name) if name == own || name == "error" || allowed.contains(&name.as_str()) => None,
            Target::Sibling(name) if ROOT_ITEMS.contains(&name.as_str()) => None,
            Target::Sibling(name) => Some(format!("`{own}` may not refer to `{name}`, only to {allowed:?}")),
            Target::Library(name) => breach_of_door(file, name, reference.in_tests),
        };
        breaches.extend(breach.map(|breach| format!("src/{file}:{}: {breach}", reference.line)));
    }
    breaches.dedup(); // A group may name the same module several times.
    breaches
}

fn breach_of_door(file: &str, library: &str, in_tests: bool) -> Option<String> {
    let door = DOORS.iter().find(|door| door.library == library)?;
    let inside = door.places.iter().any(|place| file.starts_with(place));
    let open = inside || (in_tests && door.also_in_tests);
    (!open).then(|| format!("`{library}` may be used only in {:?}", door.places))
}

/// The path of the module that a file holds: `["text", "tokenizer"]` for `text/tokenizer.rs`.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

#[derive(Debug)]
struct Reference {
    target: Target,
    line: usize,
    /// Whether it stands in a module named `tests`.
    in_tests: bool,
}

#[derive(Debug)]
enum Target {
    /// A name at the root of this crate.
    Sibling(String),
    /// The first name of a path that does not begin at this crate.
    Library(String),
}

/// What the text refers to by a path, in order. `module` is the module that the text is the file of.
fn references_in(text: &str, module: &[String]) -> Vec<Reference> {
    let tokens = tokens_of(text);
    let mut module = module.to_vec();
    // For each inline module that is open: the depth of its braces.
    let mut inline_depths = Vec::new();
    let mut depth = 0;
    let mut references = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].kind {
            TokenKind::Name(name) if name == "mod" && kind_at(&tokens, at + 2) == Some(&TokenKind::Other('{')) => {
                if let Some(TokenKind::Name(inline)) = kind_at(&tokens, at + 1) {
                    module.push(inline.clone());
                    inline_depths.push(depth);
                }
                at += 2;
                continue;
            }
            TokenKind::Other('{') => depth += 1,
            TokenKind::Other('}') => {
                depth -= 1;
                if inline_depths.last() == Some(&depth) {
                    inline_depths.pop();
                    module.pop();
                }
            }
            TokenKind::Name(name) if name == "use" => {
                let mut paths = Vec::new();
                let line = tokens[at].line;
                at = read_use_tree(&tokens, at + 1, Vec::new(), &mut paths);
                references.extend(paths.iter().filter_map(|path| reference_of(path, line, &module)));
                continue;
            }
            TokenKind::Name(_) => {
                let line = tokens[at].line;
                let follows_dot = at > 0 && tokens[at - 1].kind == TokenKind::Other('.');
                let (path, next) = read_path(&tokens, at);
                if path.len() > 1 && !follows_dot {
                    references.extend(reference_of(&path, line, &module));
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    references
}

fn reference_of(path: &[String], line: usize, module: &[String]) -> Option<Reference> {
    let in_tests = module.iter().any(|name| name == "tests");
    let target = match path.first()?.as_str() {
        "crate" => Target::Sibling(path.get(1)?.clone()),
        "self" | "super" => {
            let mut resolved = module.to_vec();
            for name in path {
                match name.as_str() {
                    "self" => {}
                    "super" => drop(resolved.pop()),
                    name => resolved.push(name.to_owned()),
                }
            }
            Target::Sibling(resolved.into_iter().next()?)
        }
        name => Target::Library(name.to_owned()),
    };
    Some(Reference { target, line, in_tests })
}

/// Reads `a::b::c` from `at` on; returns it with where it ends.
fn read_path(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(TokenKind::Name(name)) = kind_at(tokens, at) {
        path.push(name.clone());
        at += 1;
        if kind_at(tokens, at) != Some(&TokenKind::PathSeparator) {
            break;
        }
        at += 1;
    }
    (path, at)
}

/// Reads one tree of a `use` declaration into `paths`, with groups spelt out; returns where it ends.
fn read_use_tree(tokens: &[Token], mut at: usize, mut prefix: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    while let Some(kind) = kind_at(tokens, at) {
        match kind {
            TokenKind::Name(name) if name == "as" => at += 1, // and past the new name, below
            TokenKind::Name(name) => prefix.push(name.clone()),
            TokenKind::Other('*') => prefix.push("*".to_owned()),
            TokenKind::PathSeparator => {}
            TokenKind::Other('{') => {
                at += 1;
                while !matches!(kind_at(tokens, at), None | Some(TokenKind::Other('}'))) {
                    at = read_use_tree(tokens, at, prefix.clone(), paths);
                    if kind_at(tokens, at) == Some(&TokenKind::Other(',')) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            TokenKind::Other(_) => break,
        }
        at += 1;
    }
    paths.push(prefix);
    at
}

#[derive(Debug, PartialEq)]
enum TokenKind {
    Name(String),
    PathSeparator,
    Other(char),
}

struct Token {
    kind: TokenKind,
    line: usize,
}

fn kind_at(tokens: &[Token], at: usize) -> Option<&TokenKind> {
    tokens.get(at).map(|token| &token.kind)
}

/// The tokens of a text, without comments, literals and white space.
fn tokens_of(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let mut push = |kind| tokens.push(Token { kind, line });
        let length_bytes = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_bytes(rest)
        } else if let Some(length_bytes) = raw_string_bytes(rest) {
            length_bytes
        } else if first == '"' {
            quoted_bytes(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted_bytes(rest, '\'')
        } else if first == '\'' {
            1 + name_bytes(&rest[1..]) // a lifetime
        } else if first.is_alphanumeric() || first == '_' {
            let length_bytes = name_bytes(rest);
            push(TokenKind::Name(rest[..length_bytes].to_owned()));
            length_bytes
        } else if rest.starts_with("::") {
            push(TokenKind::PathSeparator);
            2
        } else {
            if !first.is_whitespace() {
                push(TokenKind::Other(first));
            }
            first.len_utf8()
        };
        line += rest[..length_bytes].matches('\n').count();
        rest = &rest[length_bytes..];
    }
    tokens
}

fn name_bytes(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Whether a quotation mark begins a character rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    characters.next() == Some('\\') || characters.next() == Some('\'')
}

fn quoted_bytes(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string, with its prefix `r`, `br` or `cr`, if the text begins with one.
fn raw_string_bytes(text: &str) -> Option<usize> {
    let after_prefix = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = after_prefix.len() - after_prefix.trim_start_matches('#').len();
    let body = after_prefix[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body_bytes = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + body_bytes)
}

fn block_comment_bytes(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
