//! What kernels may use beyond core WebGPU: one tier, decided when the device is opened.

use crate::error::{Error, ErrorKind, Result};

/// A set of kernel variants. None needs another one's capability, so a device may offer any of them besides `Core`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Core WebGPU: f32 arithmetic, sums through workgroup memory.
    Core,
    /// Sums of neighbouring threads without workgroup memory.
    Subgroups {
        /// The fewest threads that a subgroup of this device has.
        min_size: u32,
    },
    /// Prompts are multiplied in f16, with sums of more than 16 products in f32.
    F16,
    /// Prompts are quantised to 8 bits, and multiplied four numbers at a time.
    Packed,
}

impl Tier {
    /// The names of all tiers.
    pub const NAMES: [&'static str; 4] = ["core", "subgroups", "f16", "packed"];

    /// The name by which a caller asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Subgroups { .. } => "subgroups",
            Self::F16 => "f16",
            Self::Packed => "packed",
        }
    }

    /// The tier of this name, or the best of those on offer when none is named.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that there is not, or not on this device.
    pub(super) fn choose(name: Option<&str>, offer: &Offer) -> Result<Self> {
        let offered = offer.tiers();
        let Some(name) = name else { return Ok(offer.best()) };
        if let Some(tier) = offered.iter().find(|tier| tier.name() == name) {
            return Ok(*tier);
        }
        let names = |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let (what, expected) = if Self::NAMES.contains(&name) {
            ("this device doesn't offer the tier", names(&offered.iter().map(|tier| tier.name()).collect::<Vec<_>>()))
        } else {
            ("there is no such tier", names(&Self::NAMES))
        };
        Err(Error::new(ErrorKind::InvalidArgument, what).at("tier").got(format!("\"{name}\"")).expected(expected))
    }
}

/// What a device has beyond core WebGPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// The fewest threads of a subgroup, where shaders may use them.
    pub(super) subgroup_min_size: Option<u32>,
    /// Whether shaders may use f16.
    pub(super) shader_f16: bool,
    /// Whether shaders may use the packed dot product.
    pub(super) packed_dot_product: bool,
    /// Whether the device is a CPU that stands in for a GPU.
    pub(super) is_software: bool,
}

impl Offer {
    fn tiers(&self) -> Vec<Tier> {
        let subgroups = self.subgroup_min_size.map(|min_size| Tier::Subgroups { min_size });
        let f16 = self.shader_f16.then_some(Tier::F16);
        let packed = self.packed_dot_product.then_some(Tier::Packed);
        [Some(Tier::Core), subgroups, f16, packed].into_iter().flatten().collect()
    }

    /// Where nobody asked for another: one that is as exact as any. To a CPU, which has no subgroups, they are no help.
    fn best(&self) -> Tier {
        match self.subgroup_min_size {
            Some(min_size) if !self.is_software => Tier::Subgroups { min_size },
            _ => Tier::Core,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: Offer =
        Offer { subgroup_min_size: None, shader_f16: false, packed_dot_product: false, is_software: false };

    #[test]
    fn a_tier_is_chosen_by_name_or_by_what_the_device_is() {
        let subgroups = Tier::Subgroups { min_size: 8 };
        let gpu = Offer { subgroup_min_size: Some(8), shader_f16: true, packed_dot_product: true, ..CORE };
        let cases = [
            ("nothing to choose from", None, CORE, Tier::Core),
            ("a GPU", None, gpu, subgroups),
            ("a GPU without subgroups", None, Offer { subgroup_min_size: None, ..gpu }, Tier::Core),
            ("a CPU", None, Offer { is_software: true, ..gpu }, Tier::Core),
            ("by name", Some("core"), gpu, Tier::Core),
            ("another name", Some("f16"), gpu, Tier::F16),
            ("subgroups by name", Some("subgroups"), gpu, subgroups),
        ];
        for (case, name, offer, expected) in cases {
            assert_eq!(Tier::choose(name, &offer), Ok(expected), "{case}");
        }
    }

    #[test]
    fn a_tier_that_is_not_there_is_an_error_that_says_what_is() {
        let cases = [
            ("fast", "there is no such tier (tier): got \"fast\"", "\"core\", \"subgroups\", \"f16\", \"packed\""),
            ("f16", "this device doesn't offer the tier (tier): got \"f16\"", "expected \"core\""),
        ];
        for (name, got, expected) in cases {
            let message = Tier::choose(Some(name), &CORE).expect_err(name).to_string();
            assert!(message.contains(got) && message.contains(expected), "{message}");
        }
    }
}
