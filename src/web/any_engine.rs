//! An engine on whatever computes: a GPU, or the processor.

use crate::backend::cpu::CpuBackend;
use crate::backend::gpu::GpuBackend;
use crate::engine::Engine;

/// An engine on whatever computes.
pub(super) enum AnyEngine {
    /// On a GPU.
    Webgpu(Box<Engine<GpuBackend>>),
    /// On the processor.
    Cpu(Box<Engine<CpuBackend>>),
}

/// Evaluates an expression with the engine that an [`AnyEngine`] is, of either type.
macro_rules! with_engine {
    ($any:expr, $engine:ident => $value:expr) => {
        match $any {
            crate::web::any_engine::AnyEngine::Webgpu($engine) => $value,
            crate::web::any_engine::AnyEngine::Cpu($engine) => $value,
        }
    };
}
pub(super) use with_engine;
