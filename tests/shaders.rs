//! Every kernel, in every variant, is valid WGSL and needs nothing beyond what its tier has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use naga::AddressSpace;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use qwisp::backend::gpu::operations::{
    Arithmetic, Attention, AttentionDecode, AttentionReduce, Copy, Embed, GateUp, Head, KeepLastRow, MatMul,
    PenalizeLogits, Quantize, QueryKeyValue, Repack, ResidualMatvec, RmsNorm, RopeAppend, Sample, SiluMul,
    SubgroupOrder, Weigh,
};
use qwisp::backend::gpu::shaders::{Epilogue, Variant};
use qwisp::backend::gpu::tier::Tier;
use qwisp::backend::{Dimensions, KvCacheFormat};
use qwisp::gguf::TensorType;

/// Core WebGPU's limits: the default values of `GPUSupportedLimits`.
const MAX_STORAGE_BUFFERS: usize = 8;
const MAX_UNIFORM_BUFFERS: usize = 12;
const MAX_WORKGROUP_BYTES: u32 = 16_384;
const MAX_WORKGROUP_THREADS: u32 = 256;
const MAX_WORKGROUP_SIZE: [u32; 3] = [256, 256, 64];

/// `pack2x16float` and its inverse belong to core WGSL; naga counts them as a capability because not all of its other
/// targets have them.
const CORE_WEBGPU: Capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;

/// The tiers, with what their shaders may use.
const TIERS: [(Tier, Capabilities); 4] = [
    (Tier::Core, Capabilities::empty()),
    (Tier::Subgroups { min_size: 4 }, Capabilities::SUBGROUP),
    (Tier::F16, Capabilities::SHADER_FLOAT16),
    (Tier::Packed, Capabilities::empty()),
];

/// The shapes of real models, and of a tiny one: layers and context are of no consequence for a kernel's text.
const MODELS: [(&str, [usize; 5]); 7] = [
    // hidden, feed-forward, heads, KV heads, dimensions of a head
    ("Qwen2.5-0.5B", [896, 4864, 14, 2, 64]),
    ("Qwen2.5-1.5B", [1536, 8960, 12, 2, 128]),
    ("Qwen2.5-3B", [2048, 11008, 16, 2, 128]),
    ("Qwen2.5-7B", [3584, 18944, 28, 4, 128]),
    ("Qwen3-0.6B", [1024, 3072, 16, 8, 128]),
    ("Qwen3-1.7B", [2048, 6144, 16, 8, 128]),
    ("tiny", [64, 64, 1, 1, 64]),
];
const VOCABULARY: usize = 151_936;

fn dimensions([hidden, feed_forward, heads, kv_heads, head_dim]: [usize; 5]) -> Dimensions {
    Dimensions {
        layers: 1,
        hidden,
        feed_forward,
        heads,
        kv_heads,
        head_dim,
        vocabulary: VOCABULARY,
        context: 4096,
        kv_cache: KvCacheFormat::F16,
        rms_epsilon: 1e-6,
        rope_base: 1e6,
    }
}

/// Every variant that a model of these dimensions can ask for, whatever the types of its tensors.
fn variants(dimensions: &Dimensions) -> Vec<Variant> {
    let &Dimensions { hidden, feed_forward, heads, head_dim, vocabulary, .. } = dimensions;
    let mut variants = vec![
        AttentionReduce::variant(dimensions),
        Quantize::variant(hidden),
        Quantize::variant(feed_forward),
        Copy::variant(1 << 22),
        KeepLastRow::variant(hidden, dimensions.heads * head_dim),
        PenalizeLogits::variant(vocabulary),
        RmsNorm::variant(hidden, dimensions.rms_epsilon),
        Sample::variant(),
        SiluMul::variant(feed_forward),
        Weigh::variant(hidden),
    ];
    for kv_cache in KvCacheFormat::ALL {
        let dimensions = &Dimensions { kv_cache, ..dimensions.clone() };
        variants.push(Attention::variant(dimensions));
        for normalizes_heads in [false, true] {
            variants.push(AttentionDecode::variant(dimensions, normalizes_heads));
            variants.push(RopeAppend::variant(dimensions, normalizes_heads));
        }
    }
    for format in TensorType::ALL {
        variants.push(Embed::variant(format, hidden, 0, [vocabulary, 0]));
        variants.push(Embed::variant(format, hidden, 0, [vocabulary - 32, 32]));
        variants.push(Head::variant(format, [vocabulary - 32, hidden], 32, dimensions.rms_epsilon));
        for other in TensorType::ALL {
            let key_rows = dimensions.kv_heads * head_dim;
            let rows = [heads * head_dim, key_rows, key_rows];
            variants.push(QueryKeyValue::variant([format, format, other], rows, hidden, dimensions.rms_epsilon));
            variants.push(GateUp::variant([format, other], [feed_forward, hidden], dimensions.rms_epsilon));
        }
        if !format.is_float() {
            variants.push(Repack::variant(format, [vocabulary, hidden]));
        }
        let queries = heads * head_dim;
        let shapes = [
            ([queries, hidden], [dimensions.qkv_columns(), 0]),
            ([hidden, queries], [hidden, 0]),
            ([feed_forward, hidden], [feed_forward, 0]),
            ([hidden, feed_forward], [hidden, 0]),
            ([vocabulary - 32, hidden], [vocabulary, 32]),
        ];
        variants.push(ResidualMatvec::variant(format, [hidden, queries]));
        variants.push(ResidualMatvec::variant(format, [hidden, feed_forward]));
        for epilogue in Epilogue::ALL {
            for (weights, output) in shapes {
                // Those for a token and for a few; those for more, by the tokens of a workgroup.
                for tokens in [1, 8] {
                    variants.push(MatMul::variant(Arithmetic::F32, tokens, format, epilogue, weights, output));
                }
                for (arithmetic, tokens) in Arithmetic::ALL.into_iter().flat_map(|kind| [16, 64].map(|n| (kind, n))) {
                    variants.push(MatMul::variant(arithmetic, tokens, format, epilogue, weights, output));
                }
            }
        }
    }
    variants
}

/// What a variant is, for messages.
fn name(variant: &Variant) -> String {
    format!(
        "{}, formats {:?}, epilogue {:?}, {:?}",
        variant.kernel, variant.formats, variant.epilogue, variant.constants
    )
}

#[test]
fn every_variant_is_valid_with_nothing_but_what_its_tier_has() {
    for (tier, capabilities) in TIERS {
        // What a tier changes does not depend on the model's shape.
        let models = if tier == Tier::Core { &MODELS[..] } else { &MODELS[..1] };
        for (model, shape) in models {
            let mut variants = variants(&dimensions(*shape));
            if matches!(tier, Tier::Subgroups { .. }) {
                variants.push(SubgroupOrder::variant());
            }
            for variant in variants {
                let case = format!("{}, {model}, {}", tier.name(), name(&variant));
                let source = variant.source(tier);
                assert!(!source.lines().any(|line| line.starts_with("#import")), "{case}: an import is left");
                let module = naga::front::wgsl::parse_str(&source)
                    .unwrap_or_else(|error| panic!("{case}: {}", error.emit_to_string(&source)));
                Validator::new(ValidationFlags::all(), CORE_WEBGPU | capabilities)
                    .validate(&module)
                    .unwrap_or_else(|error| panic!("{case}: {}", error.emit_to_string(&source)));
                check_limits(&module, &case);
            }
        }
    }
}

/// Fails when a kernel needs more than core WebGPU's limits allow.
fn check_limits(module: &naga::Module, name: &str) {
    let globals = |wanted: fn(&AddressSpace) -> bool| {
        module
            .global_variables
            .iter()
            .filter(move |(_, variable)| wanted(&variable.space))
            .map(|(_, variable)| variable)
    };
    let storage_buffers = globals(|space| matches!(space, AddressSpace::Storage { .. })).count();
    assert!(storage_buffers <= MAX_STORAGE_BUFFERS, "{name}: {storage_buffers} storage buffers");
    let uniform_buffers = globals(|space| *space == AddressSpace::Uniform).count();
    assert!(uniform_buffers <= MAX_UNIFORM_BUFFERS, "{name}: {uniform_buffers} uniform buffers");
    let workgroup_bytes = workgroup_bytes(module);
    assert!(workgroup_bytes <= MAX_WORKGROUP_BYTES, "{name}: {workgroup_bytes} bytes of workgroup memory");

    assert_eq!(module.entry_points.len(), 1, "{name}: one entry point");
    let size = module.entry_points[0].workgroup_size;
    let threads: u32 = size.iter().product();
    let within = size.iter().zip(MAX_WORKGROUP_SIZE).all(|(&size, limit)| size <= limit);
    assert!(within && threads <= MAX_WORKGROUP_THREADS, "{name}: a workgroup of {size:?}");
}

/// The workgroup memory of a kernel, as WebGPU counts it: each variable in whole units of 16 bytes.
fn workgroup_bytes(module: &naga::Module) -> u32 {
    let variables = module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
    let sizes = variables.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()));
    sizes.map(|bytes| bytes.next_multiple_of(16)).sum()
}

/// Groups of query heads that the model loader lets through must fit the attention kernels.
#[test]
fn the_largest_groups_of_query_heads_fit() {
    for head_dim in [64, 128, 256] {
        let max_group = AttentionDecode::max_group(head_dim);
        assert!(max_group <= Attention::MAX_GROUP, "{head_dim} dimensions: groups of {max_group}");
        for (group, fits) in [(max_group, true), (max_group + 1, false)] {
            let variant = AttentionDecode::variant(&dimensions([896, 4864, group, 1, head_dim]), true);
            let module = naga::front::wgsl::parse_str(&variant.source(Tier::Core)).expect("the kernel is valid");
            assert_eq!(
                workgroup_bytes(&module) <= MAX_WORKGROUP_BYTES,
                fits,
                "groups of {group}, {head_dim} dimensions"
            );
        }
    }
}

/// A file that nothing includes would be tested by nobody.
#[test]
fn every_shader_file_is_part_of_a_variant() {
    let mut sources = vec![SubgroupOrder::variant().source(Tier::Core)];
    for (tier, _) in TIERS {
        sources.extend(variants(&dimensions(MODELS[0].1)).iter().map(|variant| variant.source(tier)));
    }
    // What is imported under a name has it in front.
    let unnamed: Vec<String> =
        sources.iter().map(|source| source.replace("first_", "").replace("FIRST_", "")).collect();
    sources.extend(unnamed);
    let files = shader_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"));
    assert!(!files.is_empty());
    for (path, text) in files {
        // Imports are replaced by what they import, so only what stands between them is found again.
        let mut parts = vec![String::new()];
        for line in text.lines() {
            match line.starts_with("#import") {
                true => parts.push(String::new()),
                false => parts.last_mut().expect("there is always one part").extend([line, "\n"]),
            }
        }
        let used = sources.iter().any(|source| parts.iter().all(|part| source.contains(part.as_str())));
        assert!(used, "{} is part of no variant", path.display());
    }
}

/// The text of every WGSL file in a folder and the folders in it.
fn shader_files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files.extend(shader_files(&path));
        } else {
            assert!(path.extension().is_some_and(|extension| extension == "wgsl"), "{} is no shader", path.display());
            let text = fs::read_to_string(&path).expect("the file can be read");
            files.insert(path, text);
        }
    }
    files
}
