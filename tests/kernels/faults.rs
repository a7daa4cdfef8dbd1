//! Work that the device refuses.

use pollster::block_on;
use qwisp::ErrorKind;
use qwisp::backend::gpu::operations::SiluMul;

use super::support::gpu::Gpu;

#[test]
fn work_that_is_not_valid_is_an_error_and_nobody_waits_for_it() {
    for reads in [true, false] {
        let mut gpu = Gpu::open();
        let buffer = gpu.buffer(&[0.0f32; 4]);
        // The kernel has two bindings.
        gpu.recorder.dispatch(&SiluMul::variant(4), &[(0, &buffer)], [1, 1, 1], 0);
        let error = if reads {
            let staging = gpu.device().device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: buffer.size(),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            block_on(gpu.recorder.read(&buffer, &staging, 4)).expect_err("nothing was computed")
        } else {
            block_on(gpu.recorder.wait()).expect_err("nothing was computed")
        };
        assert_eq!(error.kind(), ErrorKind::DeviceLost, "{error}");
        assert!(error.to_string().contains("the GPU reported an error"), "{error}");
    }
}
