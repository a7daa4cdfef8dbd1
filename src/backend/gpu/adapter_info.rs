//! What wgpu doesn't say of an adapter: in a browser, its name, whether it is software, and whether it has subgroups.

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

/// Whether the adapter is no GPU, but the processor in its place.
#[cfg(target_arch = "wasm32")]
pub(super) fn is_software(device: &wgpu::Device, _: &wgpu::AdapterInfo) -> bool {
    use js_sys::Reflect;

    let field = |name: &str| {
        let info = Reflect::get(device.as_webgpu()?, &"adapterInfo".into()).ok()?;
        Reflect::get(&info, &name.into()).ok()
    };
    // Chromium's own has a name, also in versions that don't have the other field.
    field("isFallbackAdapter").is_some_and(|value| value.is_truthy())
        || field("architecture").and_then(|value| value.as_string()).is_some_and(|name| name == "swiftshader")
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn is_software(_: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> bool {
    adapter.device_type == wgpu::DeviceType::Cpu
}

/// Whether shaders may use subgroups. wgpu doesn't know the feature in browsers yet (its issue 10146); there,
/// `www/engine/request_subgroups.js` asks for it.
#[cfg(target_arch = "wasm32")]
pub(super) fn has_subgroups(device: &wgpu::Device) -> bool {
    use js_sys::Reflect;
    use wasm_bindgen::JsCast as _;

    let has = || -> Option<bool> {
        let features = Reflect::get(device.as_webgpu()?, &"features".into()).ok()?;
        let has: js_sys::Function = Reflect::get(&features, &"has".into()).ok()?.dyn_into().ok()?;
        has.call1(&features, &"subgroups".into()).ok()?.as_bool()
    };
    has().unwrap_or(false)
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}
