//! The self-test of a GPU: it passes on a good one, and finds out one that computes anything wrongly.

use std::cell::Cell;

use pollster::block_on;
use qwisp::backend::gpu::device::Device;
use qwisp::backend::gpu::shaders::Variant;
use qwisp::backend::gpu::tier::Tier;
use qwisp::probe::{Check, choose_device, test_device, test_platform};
use qwisp::{ErrorKind, Result};

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
const FAULTS: [Fault; 16] = [
    // Every other block of weights is missing.
    Fault { kernel: "repack", right: "first + 1u < piece.blocks", wrong: "false" },
    // Half of an embedding is the other half's.
    Fault { kernel: "embed", right: "first_dequantize4(source + 1u)", wrong: "first_dequantize4(source)" },
    Fault { kernel: "rms_norm", right: "+ EPSILON", wrong: "+ 0.3" },
    // One row in 64 is another one's.
    Fault { kernel: "matmul", right: "group7 = load_row_group(row + 7u", wrong: "group7 = load_row_group(row + 6u" },
    // Heads turn the other way.
    Fault { kernel: "rope_append", right: "part.low * sine", wrong: "part.high * sine" },
    // The mask shows what is to come.
    Fault { kernel: "attention", right: "<= first_position + row / GROUP", wrong: "<= first_position + row" },
    Fault { kernel: "silu_mul", right: "exp(min(-x", wrong: "exp(min(x" },
    // Some columns are left out.
    Fault { kernel: "small_matmul", right: "group < COLUMN_GROUPS", wrong: "group < COLUMN_GROUPS - 1u" },
    // The wrong token's row.
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
];

thread_local! {
    /// The mistake that [`faulty_source`] makes.
    static FAULT: Cell<Fault> = const { Cell::new(FAULTS[0]) };
}

fn faulty_source(variant: &Variant, tier: Tier) -> String {
    let (source, Fault { kernel, right, wrong }) = (variant.source(tier), FAULT.get());
    if variant.kernel != kernel {
        return source;
    }
    assert!(source.contains(right), "{kernel} has no `{right}`");
    source.replace(right, wrong)
}

/// The self-test of a device with this mistake in its kernels.
async fn test_with(fault: Fault, device: &Device) -> Result<()> {
    FAULT.set(fault);
    let mut device = device.clone();
    device.shader_source = faulty_source;
    test_device(&device).await
}

#[test]
fn a_device_that_computes_rightly_passes_on_every_tier() {
    for device in open_tiers() {
        let tier = device.tier;
        assert_eq!(block_on(test_device(&device)), Ok(()), "{}", tier.name());
        // What rounding makes is far from what is accepted.
        let rounding = match tier {
            Tier::Core | Tier::Subgroups { .. } => 1e-6,
            Tier::F16 => 1e-5,
            Tier::Packed => 1e-3,
        };
        assert_eq!(block_on(test_platform(&device, rounding)), Ok(()), "{}", tier.name());
    }
}

#[test]
fn a_mistake_in_any_kernel_is_found() {
    let device = open_device();
    for fault in FAULTS {
        let error = block_on(test_with(fault, &device)).expect_err(fault.kernel);
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
        Tier::Core => test_device(device).await,
        _ => test_with(fault, device).await,
    };
    let mut checks = Vec::new();
    let device = block_on(choose_device(device, None, test, &mut checks)).expect("core is right");
    assert_eq!(device.tier, Tier::Core);
    let [Check { tier: "subgroups", passed: false, detail }, Check { tier: "core", passed: true, .. }] = &checks[..]
    else {
        panic!("{checks:?}");
    };
    // The prompt went well: its kernels have no sums in subgroups.
    assert!(detail.contains("the choice of a token"), "{detail}");
}

#[test]
fn a_device_that_computes_wrongly_is_no_webgpu() {
    let fault = FAULTS[3];
    // Whether core is the best there is, or a tier was asked for by name.
    for tier in [None, Some("core")] {
        let mut checks = Vec::new();
        let test = async |device: &Device| test_with(fault, device).await;
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
fn what_the_device_reports_is_a_failure_like_any_other() {
    let fault = Fault { kernel: "silu_mul", right: "fn main", wrong: "fn other" };
    let mut checks = Vec::new();
    let test = async |device: &Device| test_with(fault, device).await;
    let error = block_on(choose_device(open_device(), None, test, &mut checks)).expect_err("it doesn't compile");
    assert_eq!(error.kind(), ErrorKind::NoWebgpu);
    assert!(error.to_string().contains("the GPU reported an error"), "{error}");
}
