//! What is wrong with a file is said by a typed error, whatever it is. Nothing panics, and the device stays usable.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::Device as CandleDevice;
use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QTensor};
use pollster::block_on;
use qwisp::backend::gpu::device::Device;
use qwisp::generate::Random;
use qwisp::gguf::{Header, TensorInfo};
use qwisp::load::{LoadOptions, Phase, Progress, load};
use qwisp::store::MemoryStore;
use qwisp::{Error, ErrorKind};

use self::support::gpu::open_device;
use self::support::loading::MemorySource;
use self::support::tiny_model::{GgufFile, TinyModel};

mod support;

/// Loads a file, but for the compiling of kernels: nothing there depends on the file any more.
fn load_file(device: &Device, bytes: &[u8]) -> qwisp::Result<()> {
    let mut accepted = false;
    let on_progress = |progress: Progress| {
        accepted = progress.phase == Phase::Compile;
        if accepted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = LoadOptions::default();
    let source = MemorySource::new(bytes);
    let loaded = block_on(load(device, "", &options, None::<&MemoryStore>, &source, on_progress));
    match loaded.err().expect("loading ends before it compiles") {
        aborted if accepted && aborted.kind() == ErrorKind::Aborted => Ok(()),
        error => Err(error),
    }
}

/// Fails unless the file is refused with an error of that kind, which names what is at fault.
fn assert_refused(device: &Device, case: &str, bytes: &[u8], kind: ErrorKind, part: &str) {
    let error = load_file(device, bytes).expect_err(case);
    assert_eq!(error.kind(), kind, "{case}: {error}");
    assert!(error.to_string().contains(part), "{case}: {part:?} is not in: {error}");
}

/// Fails unless a good file still loads: a device keeps the first fault for good.
fn assert_usable(device: &Device) {
    load_file(device, &tiny_file().bytes()).expect("a good file loads");
}

fn tiny_file() -> GgufFile {
    TinyModel::smallest().file()
}

/// The smallest Qwen3.
fn tiny_qwen3_file() -> GgufFile {
    TinyModel { architecture: "qwen3".to_string(), ..TinyModel::smallest() }.file()
}

/// Where the tensors' data begins.
fn head_bytes(bytes: &[u8]) -> usize {
    first_tensor(bytes).bytes.start as usize
}

fn first_tensor(bytes: &[u8]) -> TensorInfo {
    let header = Header::parse(bytes, bytes.len() as u64).expect("the head is good").expect("the head is complete");
    header.tensors[0].clone()
}

#[test]
fn what_is_no_gguf_is_a_bad_file() {
    let device = open_device();
    let mut version_1 = tiny_file().bytes();
    version_1[4] = 1;
    let mut version_9 = tiny_file().bytes();
    version_9[4] = 9;
    let cases: [(&str, &[u8], &str); 10] = [
        ("an empty file", b"", "0 bytes"),
        ("a single byte", b"G", "1 bytes"),
        ("the magic alone", b"GGUF", "4 bytes"),
        ("noise", &[0xa5; 100_000], "a5"),
        ("text", b"not a model at all", "GGUF"),
        ("an HTML page", b"<!DOCTYPE html><html><title>Sign in</title></html>", "HTML"),
        ("an HTML page after white space", b"\n\n  <html lang=\"en\"><title>Sign in</title></html>", "HTML"),
        ("the magic of the other byte order", b"FUGG\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "GGUF"),
        ("a version from before", &version_1, "version 1"),
        ("a version from the future", &version_9, "version 9"),
    ];
    for (name, bytes, part) in cases {
        assert_refused(&device, name, bytes, ErrorKind::BadFile, part);
    }
    assert_usable(&device);
}

#[test]
fn a_file_cut_anywhere_is_a_bad_file() {
    let device = open_device();
    let bytes = tiny_file().bytes();
    let head_bytes = head_bytes(&bytes);
    // Every length of the head, and around the ends of every tensor.
    let header = Header::parse(&bytes, bytes.len() as u64).expect("the head is good").expect("the head is complete");
    let in_tensors = header.tensors.iter().flat_map(|tensor| {
        let (start, end) = (tensor.bytes.start as usize, tensor.bytes.end as usize);
        [start, start + 1, start.midpoint(end), end - 1]
    });
    for length in (0..head_bytes).chain(in_tensors) {
        let error = load_file(&device, &bytes[..length]).expect_err("the file is cut");
        assert_eq!(error.kind(), ErrorKind::BadFile, "cut after {length} bytes: {error}");
    }
    assert_refused(&device, "cut in the data", &bytes[..bytes.len() / 2], ErrorKind::BadFile, "at least");
    assert_usable(&device);
}

/// Changes a file's contents in one respect.
type Edit = fn(&mut GgufFile);

fn set(file: &mut GgufFile, key: &str, value: Value) {
    remove(file, key);
    file.metadata.push((key.to_string(), value));
}

fn without_template_and_chatml(file: &mut GgufFile) {
    remove(file, "tokenizer.chat_template");
    for (_, value) in &mut file.metadata {
        let Value::Array(items) = value else { continue };
        for item in items {
            if matches!(item, Value::String(token) if token == "<|im_start|>") {
                *item = text("<|begin|>");
            }
        }
    }
}

fn remove(file: &mut GgufFile, key: &str) {
    file.metadata.retain(|(name, _)| name != key);
}

fn value<'a>(file: &'a mut GgufFile, key: &str) -> &'a mut Value {
    &mut file.metadata.iter_mut().find(|(name, _)| name == key).expect("the file has the key").1
}

fn array<'a>(file: &'a mut GgufFile, key: &str) -> &'a mut Vec<Value> {
    match value(file, key) {
        Value::Array(values) => values,
        _ => panic!("{key} is no array"),
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_string())
}

fn tensor<'a>(file: &'a mut GgufFile, name: &str) -> &'a mut QTensor {
    &mut file.tensors.iter_mut().find(|(tensor, _)| tensor == name).expect("the file has the tensor").1
}

fn set_tensor(file: &mut GgufFile, name: &str, shape: &[usize], tensor_type: GgmlDType) {
    let zeros = candle_core::Tensor::zeros(shape, candle_core::DType::F32, &CandleDevice::Cpu).expect("it is small");
    *tensor(file, name) = QTensor::quantize(&zeros, tensor_type).expect("rows are whole blocks");
}

#[test]
fn a_model_that_is_not_supported_is_told_from_a_bad_file() {
    let cases: [(&str, Edit, &str); 13] = [
        ("another architecture", |file| set(file, "general.architecture", text("llama")), "\"llama\""),
        ("no architecture", |file| remove(file, "general.architecture"), "general.architecture"),
        ("another kind of tokenizer", |file| set(file, "tokenizer.ggml.model", text("llama")), "\"llama\""),
        ("another pre-tokenizer", |file| set(file, "tokenizer.ggml.pre", text("gpt-2")), "gpt-2"),
        ("neither a chat template nor the tokens of ChatML", without_template_and_chatml, "no token <|im_start|>"),
        ("scaled rotation", |file| set(file, "qwen2.rope.scaling.type", text("yarn")), "yarn"),
        ("heads of 48 dimensions", |file| set(file, "qwen2.attention.key_length", Value::U32(48)), "48"),
        (
            "heads that share nothing evenly",
            |file| set(file, "qwen2.attention.head_count_kv", Value::U32(3)),
            "3 KV heads",
        ),
        (
            "too many heads to a KV head",
            |file| set(file, "qwen2.attention.head_count", Value::U32(64)),
            "64 query heads",
        ),
        ("a token type of SentencePiece", |file| array(file, "tokenizer.ggml.token_type")[0] = Value::I32(6), "6"),
        (
            "a matrix of Q2_K",
            |file| set_tensor(file, "blk.0.ffn_gate.weight", &[32, 256], GgmlDType::Q2K),
            "blk.0.ffn_gate.weight",
        ),
        ("a norm of Q8_0", |file| set_tensor(file, "output_norm.weight", &[32], GgmlDType::Q8_0), "output_norm.weight"),
        (
            "three dimensions",
            |file| set_tensor(file, "blk.0.ffn_up.weight", &[2, 16, 32], GgmlDType::F32),
            "[2, 16, 32]",
        ),
    ];
    let device = open_device();
    for (name, edit, part) in cases {
        let mut file = tiny_file();
        edit(&mut file);
        assert_refused(&device, name, &file.bytes(), ErrorKind::UnsupportedModel, part);
    }
    assert_usable(&device);
}

/// Also what is written in a layer but would not be computed is refused: the answers would be others.
#[test]
fn a_qwen3_has_norms_and_a_qwen2_has_none() {
    use ErrorKind::{BadFile, UnsupportedModel};
    let f32 = GgmlDType::F32;
    let without = |file: &mut GgufFile, name: &str| file.tensors.retain(|(tensor, _)| tensor != name);
    let mut cases = Vec::new();
    for name in ["blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight"] {
        let mut file = tiny_qwen3_file();
        without(&mut file, name);
        cases.push((file, BadFile, name));
        for (shape, tensor_type, kind) in [
            (&[32][..], f32, BadFile),
            (&[128], f32, BadFile),
            (&[2, 64], f32, BadFile),
            (&[64], GgmlDType::F16, UnsupportedModel),
        ] {
            let mut file = tiny_qwen3_file();
            set_tensor(&mut file, name, shape, tensor_type);
            cases.push((file, kind, name));
        }
        let mut file = tiny_file();
        let norm = tiny_qwen3_file().tensors.into_iter().find(|(tensor, _)| tensor == name);
        file.tensors.extend(norm);
        cases.push((file, UnsupportedModel, name));
    }
    for (key, value) in [("attention.value_length", 128), ("rope.dimension_count", 32)] {
        let mut file = tiny_qwen3_file();
        set(&mut file, &format!("qwen3.{key}"), Value::U32(value));
        cases.push((file, UnsupportedModel, key));
    }
    let mut file = tiny_qwen3_file();
    set(&mut file, "general.architecture", text("qwen3moe"));
    cases.push((file, UnsupportedModel, "\"qwen3moe\""));

    let device = open_device();
    for (file, kind, part) in cases {
        assert_refused(&device, part, &file.bytes(), kind, part);
    }
    load_file(&device, &tiny_qwen3_file().bytes()).expect("a good file loads");
    assert_usable(&device);
}

#[test]
fn contents_that_do_not_fit_together_are_a_bad_file() {
    let cases: [(&str, Edit, &str); 21] = [
        ("no embedding", |file| file.tensors.retain(|(name, _)| name != "token_embd.weight"), "token_embd.weight"),
        ("no matrix", |file| file.tensors.retain(|(name, _)| name != "blk.0.attn_v.weight"), "blk.0.attn_v.weight"),
        ("no norm", |file| file.tensors.retain(|(name, _)| name != "output_norm.weight"), "output_norm.weight"),
        ("no tensors", |file| file.tensors.clear(), "token_embd.weight"),
        ("too few rows", |file| set_tensor(file, "blk.0.attn_k.weight", &[63, 32], GgmlDType::F32), "[63, 32]"),
        ("turned round", |file| set_tensor(file, "blk.0.attn_k.weight", &[32, 64], GgmlDType::F32), "[32, 64]"),
        ("a bias too long", |file| set_tensor(file, "blk.0.attn_k.bias", &[65], GgmlDType::F32), "attn_k.bias"),
        ("a head of another size", |file| set_tensor(file, "output.weight", &[5, 32], GgmlDType::F32), "output.weight"),
        ("more layers than tensors", |file| set(file, "qwen2.block_count", Value::U32(2)), "blk.1"),
        ("more tokens than embeddings", |file| array(file, "tokenizer.ggml.tokens").push(text("more")), "tokens"),
        ("no tokens", |file| remove(file, "tokenizer.ggml.tokens"), "tokenizer.ggml.tokens"),
        ("an empty vocabulary", |file| array(file, "tokenizer.ggml.tokens").clear(), "tokenizer.ggml"),
        ("a token twice", |file| array(file, "tokenizer.ggml.tokens")[3] = text("!"), "twice"),
        ("a byte without a token", |file| array(file, "tokenizer.ggml.tokens")[0] = text("!!"), "byte"),
        ("no merges", |file| remove(file, "tokenizer.ggml.merges"), "tokenizer.ggml.merges"),
        ("a merge of nothing", |file| array(file, "tokenizer.ggml.merges")[0] = text("he"), "merge 0"),
        ("a merge of strangers", |file| array(file, "tokenizer.ggml.merges")[0] = text("xx yy"), "merges"),
        ("fewer types than tokens", |file| drop(array(file, "tokenizer.ggml.token_type").pop()), "token_type"),
        ("no pre-tokenizer", |file| remove(file, "tokenizer.ggml.pre"), "tokenizer.ggml.pre"),
        (
            "an end of turn that is no token",
            |file| set(file, "tokenizer.ggml.eos_token_id", Value::U32(u32::MAX)),
            "eos_token_id",
        ),
        (
            "a template that is no Jinja",
            |file| set(file, "tokenizer.chat_template", text("{% for %}")),
            "chat_template",
        ),
    ];
    let device = open_device();
    for (name, edit, part) in cases {
        let mut file = tiny_file();
        edit(&mut file);
        assert_refused(&device, name, &file.bytes(), ErrorKind::BadFile, part);
    }
    assert_usable(&device);
}

#[test]
fn sizes_that_make_no_sense_are_errors() {
    let device = open_device();
    let sizes = [
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
    ];
    let impossible =
        [Value::U32(0), Value::U32(u32::MAX), Value::U64(u64::MAX), Value::I32(-1), Value::F32(64.0), text("64")];
    let absurd = [Value::U32(1 << 20), Value::U64(1 << 16), Value::U16(4096)];
    for name in sizes {
        let key = format!("qwen2.{name}");
        for value in &impossible {
            let mut file = tiny_file();
            set(&mut file, &key, value.clone());
            assert_refused(&device, &format!("{key} = {value:?}"), &file.bytes(), ErrorKind::BadFile, &key);
        }
        for value in &absurd {
            let mut file = tiny_file();
            set(&mut file, &key, value.clone());
            assert_survived(&device, &format!("{key} = {value:?}"), &file.bytes());
        }
    }
    // Together they are too much even where each alone is not.
    let mut file = tiny_file();
    for name in sizes {
        set(&mut file, &format!("qwen2.{name}"), Value::U32(1 << 20));
    }
    assert_survived(&device, "everything is huge", &file.bytes());
    assert_usable(&device);
}

#[test]
fn numbers_that_make_no_sense_are_errors() {
    let device = open_device();
    for key in ["qwen2.attention.layer_norm_rms_epsilon", "qwen2.rope.freq_base"] {
        for value in [Value::F32(-1.0), Value::F32(f32::NAN), Value::F32(f32::INFINITY), Value::F64(1e300), text("1")] {
            let mut file = tiny_file();
            set(&mut file, key, value.clone());
            assert_refused(&device, &format!("{key} = {value:?}"), &file.bytes(), ErrorKind::BadFile, key);
        }
    }
    for alignment in [Value::U32(0), Value::U8(0)] {
        let mut file = tiny_file();
        set(&mut file, "general.alignment", alignment.clone());
        assert_refused(&device, &format!("{alignment:?}"), &file.bytes(), ErrorKind::BadFile, "general.alignment");
        // candle's reader drops zeros at the end of a key.
        let mut file = tiny_file();
        set(&mut file, "general.alignment\0\0", alignment.clone());
        assert_refused(&device, &format!("\\0, {alignment:?}"), &file.bytes(), ErrorKind::BadFile, "general.alignment");
    }
    for alignment in [Value::U32(u32::MAX), Value::U32(1), Value::U32(7), Value::I32(-1), text("32")] {
        let mut file = tiny_file();
        set(&mut file, "general.alignment", alignment.clone());
        assert_survived(&device, &format!("alignment {alignment:?}"), &file.bytes());
    }
    assert_usable(&device);
}

#[test]
fn values_of_the_wrong_type_are_a_bad_file() {
    let device = open_device();
    let original = tiny_file();
    let used = |key: &&str| key.starts_with("tokenizer.") || *key == "general.architecture" || *key == "general.name";
    let unused = ["tokenizer.ggml.padding_token_id", "tokenizer.ggml.add_bos_token"];
    let keys = original.metadata.iter().map(|(key, _)| key.as_str()).filter(used).filter(|key| !unused.contains(key));
    for key in keys {
        for value in [Value::Bool(true), Value::F32(1.0), Value::Array(vec![Value::Bool(true)])] {
            let mut file = tiny_file();
            set(&mut file, key, value.clone());
            assert_refused(&device, &format!("{key} = {value:?}"), &file.bytes(), ErrorKind::BadFile, key);
        }
    }
    assert_usable(&device);
}

/// Where the description of a tensor says its dimensions, the number of its type, and where its data is.
struct TensorFields {
    dimensions: usize,
    tensor_type: usize,
    data_offset: usize,
}

impl TensorFields {
    fn find(bytes: &[u8], name: &str) -> Self {
        let text = [&(name.len() as u64).to_le_bytes(), name.as_bytes()].concat();
        let start = bytes.windows(text.len()).position(|window| window == text).expect("the file has the tensor");
        let count = start + text.len();
        let dimensions = count + 4;
        let tensor_type = dimensions + 8 * usize::from(bytes[count]);
        Self { dimensions, tensor_type, data_offset: tensor_type + 4 }
    }
}

#[test]
fn descriptions_of_tensors_that_make_no_sense_are_errors() {
    let device = open_device();
    let original = tiny_file().bytes();
    let name = "blk.0.attn_q.weight";
    let fields = TensorFields::find(&original, name);
    let patched = |at: usize, value: &[u8]| {
        let mut bytes = original.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for type_id in [4_u32, 16, 31, 1000, u32::MAX] {
        let bytes = patched(fields.tensor_type, &type_id.to_le_bytes());
        let case = format!("type {type_id}");
        assert_refused(&device, &case, &bytes, ErrorKind::UnsupportedModel, &format!("ggml type {type_id}"));
    }
    for columns in [0, 1, 31, 1 << 31, 1 << 32, 1 << 61, 1 << 63, u64::MAX - 31, u64::MAX] {
        let bytes = patched(fields.dimensions, &columns.to_le_bytes());
        assert_refused(&device, &format!("{columns} columns"), &bytes, ErrorKind::BadFile, name);
    }
    // Four bytes for each column: more than can be counted.
    let name_of_floats = "output_norm.weight";
    let at = TensorFields::find(&original, name_of_floats).dimensions;
    for columns in [0_u64, 1 << 61, 1 << 62, 1 << 63, u64::MAX] {
        let bytes = patched(at, &columns.to_le_bytes());
        assert_refused(&device, &format!("{columns} columns of floats"), &bytes, ErrorKind::BadFile, name_of_floats);
    }
    for rows in [0, 1, 1 << 32, 1 << 60, u64::MAX] {
        let bytes = patched(fields.dimensions + 8, &rows.to_le_bytes());
        assert_refused(&device, &format!("{rows} rows"), &bytes, ErrorKind::BadFile, name);
    }
    for offset in [1 << 20, 1 << 40, u64::MAX - 31, u64::MAX] {
        let bytes = patched(fields.data_offset, &offset.to_le_bytes());
        assert_refused(&device, &format!("data at {offset}"), &bytes, ErrorKind::BadFile, name);
    }
    let bytes = patched(fields.data_offset, &0_u64.to_le_bytes());
    assert_refused(&device, "the data of another tensor", &bytes, ErrorKind::BadFile, "overlap");
    assert_usable(&device);
}

#[test]
fn a_head_with_a_wrong_byte_loads_or_is_refused() {
    let device = open_device();
    let original = tiny_file().bytes();
    let head_bytes = head_bytes(&original);
    let mut random = Random::new(1);
    let mut refused = 0;
    for _ in 0..2000 {
        let at = random.next_u32() as usize % head_bytes;
        let mask = 1 + random.next_u32() as u8 % 255;
        let mut bytes = original.clone();
        bytes[at] ^= mask;
        refused += usize::from(!assert_survived(&device, &format!("byte {at} xor {mask:#04x}"), &bytes));
    }
    assert!((1..2000).contains(&refused), "both come to pass: {refused} of 2000 were refused");
    assert_usable(&device);
}

/// Fails when loading panics, or fails for another reason than the file. Returns whether it loads.
fn assert_survived(device: &Device, case: &str, bytes: &[u8]) -> bool {
    let loaded: Result<Result<(), Error>, _> = catch_unwind(AssertUnwindSafe(|| load_file(device, bytes)));
    match loaded {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            let expected = [ErrorKind::BadFile, ErrorKind::UnsupportedModel];
            assert!(expected.contains(&error.kind()), "{case}: {:?}, {error}", error.kind());
            false
        }
        Err(_) => panic!("{case}: loading panicked, see above"),
    }
}
