//! The WGSL sources, and how a variant of a kernel is put together from them.
//!
//! A shader is a file of `shaders/`. `#import name` brings in `shaders/shared/name.wgsl`, once; the names `format`,
//! `repack_format` and `epilogue` stand for the file that the variant chooses. The constants of the variant go in front.

use std::fmt::Write as _;

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
    ["attention", "copy", "embed", "matmul", "matvec", "repack", "rms_norm", "rope_append", "silu_mul"]
);
sources!(
    SHARED,
    "shared/",
    [
        "add_to_residual",
        "bf16",
        "blocks",
        "dequantize",
        "f16",
        "f32",
        "five_bit_group",
        "float_group",
        "four_bit_group",
        "halves",
        "planes",
        "q4_0",
        "q4_1",
        "q4_k",
        "q5_0",
        "q5_1",
        "q5_k",
        "q6_k",
        "q8_0",
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
        "step",
        "store",
        "store_with_bias",
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
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The kernel: the name of a file in `shaders/`.
    pub kernel: &'static str,
    /// How the weights that it reads or repacks are encoded.
    pub format: Option<TensorType>,
    /// What it does with its results.
    pub epilogue: Option<Epilogue>,
    /// Names and values of the constants that its comment lists.
    pub constants: Vec<(&'static str, Constant)>,
}

impl Variant {
    /// A kernel without imports to choose.
    pub fn new(kernel: &'static str, constants: Vec<(&'static str, Constant)>) -> Self {
        Self { kernel, format: None, epilogue: None, constants }
    }

    /// The complete WGSL text.
    ///
    /// # Panics
    /// When a file or a choice is missing: a mistake in the crate that the shader tests find.
    pub fn source(&self) -> String {
        let mut source = String::new();
        for (name, constant) in &self.constants {
            // Writing to a String can't fail.
            let _ = match constant {
                Constant::U32(value) => writeln!(source, "const {name}: u32 = {value}u;"),
                Constant::F32(value) => writeln!(source, "const {name}: f32 = {value:e}f;"),
            };
        }
        let mut imported = Vec::new();
        self.append(&mut source, find(KERNELS, self.kernel), &mut imported);
        source
    }

    fn append(&self, source: &mut String, text: &'static str, imported: &mut Vec<String>) {
        for line in text.lines() {
            let Some(import) = line.strip_prefix("#import ") else {
                source.push_str(line);
                source.push('\n');
                continue;
            };
            let name = match import.trim() {
                "format" => self.format.map(|format| format.name().to_lowercase()),
                "repack_format" => self.format.map(|format| format!("repack_{}", format.name().to_lowercase())),
                "epilogue" => self.epilogue.map(|epilogue| epilogue.file().to_string()),
                name => Some(name.to_string()),
            };
            let name = name.unwrap_or_else(|| panic!("{}: nothing was chosen for `{line}`", self.kernel));
            if !imported.contains(&name) {
                let text = find(SHARED, &name);
                imported.push(name);
                self.append(source, text, imported);
            }
        }
    }
}

fn find(table: &'static [(&str, &str)], name: &str) -> &'static str {
    let (_, text) = table
        .iter()
        .find(|(candidate, _)| *candidate == name)
        .unwrap_or_else(|| panic!("there is no shader called `{name}`"));
    text
}
