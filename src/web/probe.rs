//! What this device is good for, as JavaScript sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::WasmEngine;
use super::convert::{from_js, to_js, to_js_error};
use crate::backend::{KvCacheFormat, ReadingRates, cpu, gpu};
use crate::error::Result;
use crate::probe::{Check, Choice, Computer, Fallback, test_device};

#[derive(Deserialize)]
struct Options {
    backend: String,
    tier: String,
}

/// `Probe` of `qwisp.d.ts`, but for the one rate that stands for all.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    backend: &'static str,
    adapter: String,
    tier: &'static str,
    is_software: bool,
    bytes_per_second: BTreeMap<&'static str, f64>,
    seconds_per_dispatch: f64,
    fallback: Option<Fallback>,
    checks: Vec<Check>,
}

#[wasm_bindgen]
impl WasmEngine {
    /// What would compute by these `options`, `{ backend, tier }`, and how fast: `Probe` of `qwisp.d.ts`.
    pub async fn probe(options: JsValue) -> std::result::Result<JsValue, JsValue> {
        probe_inner(options).await.map_err(to_js_error)
    }
}

async fn probe_inner(options: JsValue) -> Result<JsValue> {
    let options: Options = from_js("options", options)?;
    let test = async |device: &gpu::device::Device| test_device(device, KvCacheFormat::default()).await;
    let Choice { computer, fallback, checks } = Choice::by(&options.backend, &options.tier, test).await?;
    let (backend, adapter, tier, is_software, rates) = match computer {
        Computer::Webgpu(device) => {
            let rates = gpu::reading_rates::measure_reading_rates(&device).await?;
            let tier = device.tier.name();
            ("webgpu", device.adapter_name, tier, device.is_software, rates)
        }
        Computer::Cpu => {
            let rates = cpu::reading_rates::measure_reading_rates()?;
            ("cpu", cpu::NAME.to_string(), cpu::TIER, true, rates)
        }
    };
    let ReadingRates { bytes_per_second, seconds_per_dispatch } = rates;
    let bytes_per_second = bytes_per_second.into_iter().map(|(tensor_type, rate)| (tensor_type.name(), rate)).collect();
    to_js(&Probe { backend, adapter, tier, is_software, bytes_per_second, seconds_per_dispatch, fallback, checks })
}
