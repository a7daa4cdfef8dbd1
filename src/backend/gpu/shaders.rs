//! The WGSL sources, and how a variant of a kernel is put together from them.
//!
//! A shader is a file of `shaders/`. `#import name` brings in `shaders/shared/name.wgsl`, once; the names `format`,
//! `repack_format`, `epilogue`, `loaded_heads`, `read_kv_format` and `append_kv_format` stand for the file that the variant
//! chooses, and `sums`, `quants` and `group_quants` for the one that the device's tier does. The constants of the variant go in front.
//!
//! A kernel that reads several matrices has `#import product as query` for each: everything that comes in so gets the name
//! in front, `query_load_group`, and finds its matrix under `query_weights` and `QUERY_ROWS`.

use std::fmt::Write as _;

use super::tier::Tier;
use crate::backend::KvCacheFormat;
use crate::gguf::TensorType;

/// Declares the sources as a table of name and text.
macro_rules! sources {
    ($table:ident, $folder:literal, [$($name:literal),* $(,)?]) => {
        const $table: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../shaders/", $folder, $name, ".wgsl")))),*];
    };
}

sources!(
    KERNELS,
    "",
    [
        "attention",
        "attention_decode",
        "attention_reduce",
        "copy",
        "embed",
        "gate_up",
        "head",
        "keep_last_row",
        "matmul",
        "matmul_quantized",
        "matvec",
        "penalize_logits",
        "quantize",
        "query_key_value",
        "repack",
        "residual_matvec",
        "rms_norm",
        "rope_append",
        "sample",
        "silu_mul",
        "small_matmul",
        "subgroup_order",
        "weigh",
    ]
);
sources!(
    SHARED,
    "shared/",
    [
        "add_to_residual",
        "append_kv_f16",
        "append_kv_q8",
        "attention_tile",
        "bf16",
        "block_maximum",
        "blocks",
        "dequantize",
        "f16",
        "f16_group_quants",
        "f16_quants",
        "f32",
        "five_bit_group",
        "float_group",
        "four_bit_group",
        "halves",
        "head_part",
        "input_group",
        "is_finite",
        "kv_f16",
        "kv_q8",
        "lanes",
        "norm",
        "normalized_heads",
        "packed_group_quants",
        "packed_quants",
        "penalize",
        "places",
        "plain_heads",
        "planes",
        "product",
        "products",
        "quant_group",
        "q4_0",
        "q4_1",
        "q4_k",
        "q5_0",
        "q5_1",
        "q5_k",
        "q6_k",
        "q8_0",
        "random",
        "read_kv_q8",
        "register_tile",
        "repack_fifth_bits",
        "repack_k_4_5",
        "repack_paired_scales",
        "repack_q4_0",
        "repack_q4_1",
        "repack_q4_k",
        "repack_q5_0",
        "repack_q5_1",
        "repack_q5_k",
        "repack_q6_k",
        "repack_q8_0",
        "repack_single_blocks",
        "rotary",
        "sampling_settings",
        "select_top",
        "silu",
        "step",
        "store",
        "store_with_bias",
        "subgroup_sums",
        "sums",
        "weigh",
    ]
);

/// What a matrix product does with its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// Stores them.
    Store,
    /// Adds a bias, then stores them.
    StoreWithBias,
    /// Adds them to the residual stream.
    AddToResidual,
}

impl Epilogue {
    /// Every epilogue.
    pub const ALL: [Self; 3] = [Self::Store, Self::StoreWithBias, Self::AddToResidual];

    fn file(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::StoreWithBias => "store_with_bias",
            Self::AddToResidual => "add_to_residual",
        }
    }
}

/// The value of a constant that a variant is compiled with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    /// A size.
    U32(u32),
    /// A factor.
    F32(f32),
}

impl From<usize> for Constant {
    /// Sizes come from tensors that fit the device's buffers, so they are below 2³².
    fn from(size: usize) -> Self {
        Self::U32(size as u32)
    }
}

impl From<f32> for Constant {
    fn from(factor: f32) -> Self {
        Self::F32(factor)
    }
}

/// One compiled form of a kernel: the file, the choices for its imports, and its constants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variant {
    /// The kernel: the name of a file in `shaders/`.
    pub kernel: &'static str,
    /// How the weights that it reads or repacks are encoded: for each name that it imports a format or a product under,
    /// or for the empty name where it has only one matrix.
    pub formats: Vec<(&'static str, TensorType)>,
    /// What it does with its results.
    pub epilogue: Option<Epilogue>,
    /// Whether it normalises the queries and keys that it loads.
    pub normalizes_heads: bool,
    /// How the KV cache that it reads or appends to keeps its numbers.
    pub kv_cache: KvCacheFormat,
    /// Names and values of the constants that its comment lists.
    pub constants: Vec<(&'static str, Constant)>,
}

impl Variant {
    /// A kernel without imports to choose.
    pub fn new(kernel: &'static str, constants: Vec<(&'static str, Constant)>) -> Self {
        Self { kernel, constants, ..Self::default() }
    }

    /// The complete WGSL text, for a device of this tier.
    ///
    /// # Panics
    /// When a file or a choice is missing: a mistake in the crate that the shader tests find.
    pub fn source(&self, tier: Tier) -> String {
        let mut source = String::new();
        if let Tier::Subgroups { min_size } = tier {
            // Browsers insist on the directive; naga, which reads shaders natively, doesn't know it.
            if cfg!(target_arch = "wasm32") {
                source.push_str("enable subgroups;\n");
            }
            let _ = writeln!(source, "const SUBGROUP_MIN_SIZE: u32 = {min_size}u;");
        }
        if tier == Tier::F16 {
            source.push_str("enable f16;\n");
        }
        for (name, constant) in &self.constants {
            // Writing to a String can't fail.
            let _ = match constant {
                Constant::U32(value) => writeln!(source, "const {name}: u32 = {value}u;"),
                Constant::F32(value) => writeln!(source, "const {name}: f32 = {value:e}f;"),
            };
        }
        self.append(&mut source, find(KERNELS, self.kernel), &Scope { namespace: "", tier }, &mut Vec::new());
        source
    }

    /// Appends `text` with what it imports.
    fn append(&self, source: &mut String, text: &'static str, scope: &Scope<'_>, imported: &mut Vec<String>) {
        for line in text.lines() {
            let Some(import) = line.strip_prefix("#import ") else {
                source.push_str(line);
                source.push('\n');
                continue;
            };
            if let Some((name, namespace)) = import.split_once(" as ") {
                let mut aliased = String::new();
                self.append(&mut aliased, find(SHARED, name), &Scope { namespace, ..*scope }, &mut Vec::new());
                source.push_str(&namespaced(&aliased, namespace));
                continue;
            }
            let name = self.file(import, scope);
            if !imported.contains(&name) {
                let text = find(SHARED, &name);
                imported.push(name);
                self.append(source, text, scope, imported);
            }
        }
    }

    /// The file that an import stands for.
    fn file(&self, import: &str, &Scope { namespace, tier }: &Scope<'_>) -> String {
        let format = || {
            let (_, format) = self.formats.iter().find(|(name, _)| *name == namespace)?;
            Some(format.name().to_lowercase())
        };
        let file = match import {
            "format" => format(),
            "repack_format" => format().map(|format| format!("repack_{format}")),
            "epilogue" => self.epilogue.map(|epilogue| epilogue.file().to_string()),
            "loaded_heads" => Some(if self.normalizes_heads { "normalized_heads" } else { "plain_heads" }.to_string()),
            "read_kv_format" => {
                Some(if self.kv_cache == KvCacheFormat::Q8 { "read_kv_q8" } else { "kv_f16" }.to_string())
            }
            "append_kv_format" => Some(format!("append_kv_{}", self.kv_cache.name())),
            "sums" => Some(if matches!(tier, Tier::Subgroups { .. }) { "subgroup_sums" } else { "sums" }.to_string()),
            "quants" | "group_quants" => Some(format!("{}_{import}", if tier == Tier::F16 { "f16" } else { "packed" })),
            name => Some(name.to_string()),
        };
        file.unwrap_or_else(|| panic!("{}: nothing was chosen for `{import}` of `{namespace}`", self.kernel))
    }
}

/// What the choice of a file depends on besides the variant.
#[derive(Clone, Copy)]
struct Scope<'a> {
    /// The name that things are imported under: formats are chosen by it. Empty in the kernel itself.
    namespace: &'a str,
    tier: Tier,
}

/// What the files of a format take from the kernel; under a namespace, they take the namespace's.
const MATRIX_NAMES: [&str; 2] = ["weights", "ROWS"];

/// Puts `namespace` in front of everything that `text` declares or takes from a matrix: `load_group` becomes
/// `query_load_group`, and `ROWS` becomes `QUERY_ROWS`.
fn namespaced(text: &str, namespace: &str) -> String {
    let declared: Vec<&str> = text
        .lines()
        .filter_map(|line| ["fn ", "const ", "struct "].into_iter().find_map(|keyword| line.strip_prefix(keyword)))
        .map(|declaration| &declaration[..declaration.find(|c| !is_word(c)).unwrap_or(declaration.len())])
        .chain(MATRIX_NAMES)
        .collect();
    let upper_case = namespace.to_uppercase();
    let mut renamed = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, from_word) = rest.split_at(start);
        let (word, after) = from_word.split_at(from_word.find(|c| !is_word(c)).unwrap_or(from_word.len()));
        renamed.push_str(before);
        // After a dot it is a member or a component.
        if declared.contains(&word) && !before.ends_with('.') {
            let is_constant = !word.contains(|c: char| c.is_ascii_lowercase());
            renamed.push_str(if is_constant { &upper_case } else { namespace });
            renamed.push('_');
        }
        renamed.push_str(word);
        rest = after;
    }
    renamed + rest
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

fn find(table: &'static [(&str, &str)], name: &str) -> &'static str {
    let (_, text) = table
        .iter()
        .find(|(candidate, _)| *candidate == name)
        .unwrap_or_else(|| panic!("there is no shader called `{name}`"));
    text
}
