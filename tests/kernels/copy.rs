//! `shaders/copy.wgsl`, and what is measured with it.

use pollster::block_on;
use qwisp::backend::gpu::bandwidth::measure_bandwidth;
use qwisp::backend::gpu::operations::Copy;
use qwisp::generate::Random;

use super::support::gpu::Gpu;
use super::support::noise::normal;

#[test]
fn copy_copies_everything_and_nothing_else() {
    let mut gpu = Gpu::open();
    let mut random = Random::new(1);
    for vectors in [1, 255, 257, 10_000] {
        let values = normal(&mut random, vectors * 4, 1.0);
        let (source, destination) = (gpu.buffer(&values), gpu.buffer(&vec![-1.0_f32; (vectors + 1) * 4]));
        Copy { source: &source, destination: &destination, vectors }.record(&mut gpu.recorder);
        let got = gpu.read(&destination);
        assert_eq!(got[..vectors * 4], values, "{vectors} vectors");
        assert_eq!(got[vectors * 4..], [-1.0; 4], "after {vectors} vectors");
    }
}

#[test]
fn the_bandwidth_is_one_that_memory_can_have() {
    let gpu = Gpu::open();
    let bytes_per_second = block_on(measure_bandwidth(gpu.device())).expect("the copies run");
    // From a slow machine that computes in software to ten times the fastest GPU memory there is.
    assert!((1e7..1e14).contains(&bytes_per_second), "{bytes_per_second} bytes per second");
}
