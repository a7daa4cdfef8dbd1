//! The self-test of a GPU: it passes on a good one, and finds out one that computes anything wrongly.

use std::cell::Cell;

use pollster::block_on;
use qwisp::backend::KvCacheFormat;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::shaders::Variant;
use qwisp::backend::gpu::tier::Tier;
use qwisp::probe::{
    Check, Choice, Computer, Fallback, FallbackReason, choose_device, test_device, test_gpu, test_platform,
};
use qwisp::{Error, ErrorKind, Result};

use self::support::gpu::{open_device, open_tiers};

mod support;

/// A mistake in a kernel: what its text has, and what it has instead.
#[derive(Debug, Clone, Copy)]
struct Fault {
    kernel: &'static str,
    right: &'static str,
    wrong: &'static str,
}

/// One for every kernel that a prompt and an answer take, in the order in which they run.
const FAULTS: [Fault; 22] = [
    // Every other block of weights is missing.
    Fault { kernel: "repack", right: "first + 1u < piece.blocks", wrong: "false" },
    // Half of an embedding is the other half's.
    Fault { kernel: "embed", right: "first_dequantize4(source + 1u)", wrong: "first_dequantize4(source)" },
    Fault { kernel: "rms_norm", right: "+ EPSILON", wrong: "+ 0.3" },
    // One row in 64 is another one's.
    Fault { kernel: "matmul", right: "row7 = row_start(row + 7u", wrong: "row7 = row_start(row + 6u" },
    // Heads turn the other way.
    Fault { kernel: "rope_append", right: "part.low * sine", wrong: "part.high * sine" },
    // The mask shows what is to come.
    Fault { kernel: "attention", right: "3u)) / GROUP;", wrong: "3u));" },
    Fault { kernel: "silu_mul", right: "exp(min(-x", wrong: "exp(min(x" },
    // Some columns are left out.
    Fault { kernel: "small_matmul", right: "group < COLUMN_GROUPS", wrong: "group < COLUMN_GROUPS - 1u" },
    // The wrong token's row, of a pass of which everything is wanted, and of one of which only the last is.
    Fault { kernel: "keep_last_row", right: "last * (RESIDUAL", wrong: "(last - 1u) * (RESIDUAL" },
    Fault { kernel: "keep_last_row", right: "step.position += last", wrong: "step.position += 1u" },
    Fault { kernel: "weigh", right: "(step.rows - 1u)", wrong: "(step.rows - 2u)" },
    // The largest logit of a block is its smallest.
    Fault { kernel: "head", right: "max(largest, block[i])", wrong: "min(largest, block[i])" },
    // The last one of the best, not the first.
    Fault { kernel: "sample", right: "hand_on(sorted_tokens[index])", wrong: "hand_on(sorted_tokens[index] ^ 1u)" },
    Fault { kernel: "query_key_value", right: "+ bias(row)", wrong: "- bias(row)" },
    // One lane's part of the sums is taken off.
    Fault { kernel: "attention_decode", right: "weighted[i] += scores[index]", wrong: "weighted[i] -= scores[index]" },
    Fault { kernel: "residual_matvec", right: "residual[row] + sum", wrong: "residual[row] - sum" },
    Fault { kernel: "gate_up", right: "exp(min(-x", wrong: "exp(min(x" },
    // The next token stands in the wrong place.
    Fault { kernel: "sample", right: "step.position + step.rows", wrong: "step.position + step.rows + 1u" },
    // What reads the logits for the host.
    Fault { kernel: "matvec", right: "store(0u, row, sum", wrong: "store(0u, row, -sum" },
    // The last part of a long conversation is missing.
    Fault { kernel: "attention_reduce", right: "/ SPLIT_POSITIONS + 1u", wrong: "/ SPLIT_POSITIONS" },
    // Norms of heads, where there are some: half of a query has the other half's.
    Fault { kernel: "rope_append", right: "query_norm[quad + HEAD_DIM / 8u]", wrong: "query_norm[quad]" },
    Fault { kernel: "attention_decode", right: "query_norm[quad + HEAD_DIM / 8u]", wrong: "query_norm[quad]" },
];

/// Of a KV cache in Q8: what each kernel does that appends to it or reads it.
const Q8_FAULTS: [Fault; 5] = [
    // Half of a value has the other half's numbers.
    Fault { kernel: "rope_append", right: "pack4x8snorm(part.high", wrong: "pack4x8snorm(part.low" },
    Fault { kernel: "attention", right: "unpack4x8snorm(words.y)", wrong: "unpack4x8snorm(words.x)" },
    Fault { kernel: "attention", right: "value_scale(head, quad)", wrong: "value_scale(head, 0u)" },
    Fault { kernel: "attention_decode", right: "unpack4x8snorm(words.y)", wrong: "unpack4x8snorm(words.x)" },
    Fault { kernel: "attention_decode", right: "pack4x8snorm(part.high", wrong: "pack4x8snorm(part.low" },
];

thread_local! {
    /// The mistake that [`faulty_source`] makes, and whether it has.
    static FAULT: Cell<(Fault, bool)> = const { Cell::new((FAULTS[0], false)) };
}

fn faulty_source(variant: &Variant, tier: Tier) -> String {
    let (source, (fault, _)) = (variant.source(tier), FAULT.get());
    if variant.kernel != fault.kernel || !source.contains(fault.right) {
        return source;
    }
    FAULT.set((fault, true));
    source.replace(fault.right, fault.wrong)
}

/// The self-test of a device with this mistake in its kernels.
async fn test_with(fault: Fault, device: &Device, kv_cache: KvCacheFormat) -> Result<()> {
    FAULT.set((fault, false));
    let mut device = device.clone();
    device.shader_source = faulty_source;
    let result = test_device(&device, kv_cache).await;
    assert!(FAULT.get().1, "no kernel has what {fault:?} is about");
    result
}

#[test]
fn a_device_that_computes_rightly_passes_on_every_tier() {
    for (device, kv_cache) in open_tiers().flat_map(|device| KvCacheFormat::ALL.map(|format| (device.clone(), format)))
    {
        let case = format!("{}, {}", device.tier.name(), kv_cache.name());
        assert_eq!(block_on(test_device(&device, kv_cache)), Ok(()), "{case}");
        // What rounding makes is far from what is accepted.
        let rounding = match (device.tier, kv_cache) {
            (Tier::Core | Tier::Subgroups { .. }, KvCacheFormat::F16) => 1e-6,
            // A number that is rounded the other way is a 127th of a group's largest off.
            (Tier::Core | Tier::Subgroups { .. }, KvCacheFormat::Q8) => 2e-5,
            (Tier::F16, KvCacheFormat::F16) => 1e-5,
            (Tier::F16, KvCacheFormat::Q8) => 2e-5,
            (Tier::Packed, _) => 1e-3,
        };
        assert_eq!(block_on(test_platform(&device, kv_cache, rounding)), Ok(()), "{case}");
    }
}

#[test]
fn a_mistake_in_any_kernel_is_found() {
    let device = open_device();
    let faults = FAULTS.map(|fault| (fault, KvCacheFormat::F16)).into_iter();
    for (fault, kv_cache) in faults.chain(Q8_FAULTS.map(|fault| (fault, KvCacheFormat::Q8))) {
        let Err(error) = block_on(test_with(fault, &device, kv_cache)) else { panic!("{fault:?} was not found") };
        // A kernel that computes something that is no number is found by what finds that in any answer.
        assert!(matches!(error.kind(), ErrorKind::NoWebgpu | ErrorKind::DeviceLost), "{fault:?}: {error}");
        assert_eq!(device.check(), Ok(()), "{fault:?} is valid, only wrong");
    }
}

#[test]
fn a_tier_that_computes_wrongly_gives_way_to_core() {
    let Some(device) = open_tiers().find(|device| matches!(device.tier, Tier::Subgroups { .. })) else {
        panic!("this test needs a device with subgroups; Mesa's software driver has them");
    };
    let fault = Fault { kernel: "gate_up", right: "subgroupShuffleXor(joined, stride)", wrong: "joined" };
    let test = async |device: &Device| match device.tier {
        Tier::Core => test_device(device, KvCacheFormat::F16).await,
        _ => test_with(fault, device, KvCacheFormat::F16).await,
    };
    let mut checks = Vec::new();
    let (device, fallback) = block_on(choose_device(device, None, test, &mut checks)).expect("core is right");
    assert_eq!(device.tier, Tier::Core);
    let [Check { tier: "subgroups", passed: false, detail }, Check { tier: "core", passed: true, .. }] = &checks[..]
    else {
        panic!("{checks:?}");
    };
    // The prompt went well: its kernels have no sums in subgroups.
    assert!(detail.contains("the choice of a token"), "{detail}");
    let message = detail.clone();
    assert_eq!(fallback, Some(Fallback { from: "subgroups", reason: FallbackReason::SelfTest, message }));
}

#[test]
fn a_device_that_computes_wrongly_is_no_webgpu() {
    let fault = FAULTS[3];
    // Whether core is the best there is, or a tier was asked for by name.
    for tier in [None, Some("core")] {
        let mut checks = Vec::new();
        let test = async |device: &Device| test_with(fault, device, KvCacheFormat::F16).await;
        let error = block_on(choose_device(open_device(), tier, test, &mut checks)).expect_err("it is wrong");
        assert_eq!(error.kind(), ErrorKind::NoWebgpu);
        let text = error.to_string();
        for part in ["self-test", "tier core", "the logits of a prompt", "got a squared error of", "expected at most"] {
            assert!(text.contains(part), "`{part}` in {text}");
        }
        assert_eq!(checks, [Check { tier: "core", passed: false, detail: text }]);
    }
}

#[test]
fn what_the_device_reports_keeps_its_kind() {
    let fault = Fault { kernel: "silu_mul", right: "fn main", wrong: "fn other" };
    let mut checks = Vec::new();
    let test = async |device: &Device| test_with(fault, device, KvCacheFormat::F16).await;
    let error = block_on(choose_device(open_device(), None, test, &mut checks)).expect_err("it doesn't compile");
    assert_eq!(error.kind(), ErrorKind::DeviceLost);
    assert!(error.to_string().contains("the GPU reported an error"), "{error}");
    assert_eq!(checks, [Check { tier: "core", passed: false, detail: error.to_string() }]);

    // No room for the test's own buffers.
    let test = async |_: &Device| Err(Error::new(ErrorKind::OutOfMemory, "the device has no room"));
    for device in open_tiers() {
        let mut checks = Vec::new();
        let error = block_on(choose_device(device, None, test, &mut checks)).expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert_eq!(checks.len(), 1, "no other tier needs less memory");
    }

    // What is no number comes from a device that is in order, so it is a wrong result like any other.
    let test = async |_: &Device| Err(Error::new(ErrorKind::DeviceLost, "the device computes wrongly"));
    let error = block_on(choose_device(open_device(), Some("core"), test, &mut Vec::new())).expect_err("it is wrong");
    assert_eq!(error.kind(), ErrorKind::NoWebgpu);
}

/// The adapter here is only software, whichever driver it has.
#[test]
fn a_choice_says_what_was_given_up_for_it() {
    let test = async |device: &Device| test_gpu(device, KvCacheFormat::F16).await;
    let choice = block_on(Choice::by("auto", "auto", test)).expect("the processor is always there");
    assert!(matches!(choice.computer, Computer::Cpu));
    let Fallback { from, reason, message } = choice.fallback.expect("there is an adapter");
    assert_eq!((from, reason), ("webgpu", FallbackReason::SoftwareAdapter));
    assert!(message.contains("only software"), "{message}");

    for (backend, tier) in [("cpu", "auto"), ("webgpu", "core"), ("auto", "core")] {
        let choice = block_on(Choice::by(backend, tier, test)).expect("both are there");
        assert_eq!(matches!(choice.computer, Computer::Cpu), backend == "cpu");
        assert!(choice.fallback.is_none(), "{backend} was asked for");
    }
    for (backend, tier) in [("cpu", "core"), ("gpu", "auto")] {
        let error = block_on(Choice::by(backend, tier, test)).expect_err("there is no such thing");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}
