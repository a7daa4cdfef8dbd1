//! What to call the adapter.

/// The adapter's name for people, `"NVIDIA GeForce RTX 4060"` or `"apple metal-3"` for instance; may be empty.
pub(super) fn adapter_name(device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> String {
    if adapter.name.is_empty() { name_in_browser(device) } else { adapter.name.clone() }
}

/// Browsers give away little of an adapter, and wgpu keeps only the description, which is often empty. Vendor and
/// architecture are in the device's `GPUAdapterInfo`: <https://gpuweb.github.io/gpuweb/#gpuadapterinfo>.
#[cfg(target_arch = "wasm32")]
fn name_in_browser(device: &wgpu::Device) -> String {
    use js_sys::Reflect;

    let Some(device) = device.as_webgpu() else { return String::new() };
    let Ok(info) = Reflect::get(device, &"adapterInfo".into()) else { return String::new() };
    let field = |name: &str| Reflect::get(&info, &name.into()).ok()?.as_string().filter(|text| !text.is_empty());
    ["vendor", "architecture"].into_iter().filter_map(field).collect::<Vec<_>>().join(" ")
}

#[cfg(not(target_arch = "wasm32"))]
fn name_in_browser(_: &wgpu::Device) -> String {
    String::new()
}
