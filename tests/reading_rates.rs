//! The rates at which weights are read are measured for every type, and make sense.

use pollster::block_on;
use qwisp::backend::{MEASURED_TYPES, ReadingRates, cpu, gpu};

use self::support::gpu::open_tiers;

mod support;

fn assert_sensible(device: &str, rates: &ReadingRates) {
    let types: Vec<_> = rates.bytes_per_second.iter().map(|&(tensor_type, _)| tensor_type).collect();
    assert_eq!(types, MEASURED_TYPES, "{device}");
    for (tensor_type, rate) in &rates.bytes_per_second {
        // From a busy machine with a software adapter to the fastest card.
        assert!((1e6..1e13).contains(rate), "{device}, {}: {rate} bytes a second", tensor_type.name());
    }
    println!("{device}: {rates:?}");
}

#[test]
fn on_the_processor() {
    let rates = cpu::reading_rates::measure_reading_rates().expect("there is memory");
    assert_sensible("processor", &rates);
    assert_eq!(rates.seconds_per_dispatch, 0.0);
}

#[test]
fn on_a_gpu() {
    for device in open_tiers() {
        let rates = block_on(gpu::reading_rates::measure_reading_rates(&device)).expect("the device computes");
        assert_sensible(device.tier.name(), &rates);
        assert!((1e-9..1.0).contains(&rates.seconds_per_dispatch), "{rates:?}");
        assert_eq!(device.check(), Ok(()));
    }
}
