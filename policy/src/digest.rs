//! Whether two decisions are the same bit for bit, without keeping both.

use crate::{Considered, Decision, Offer};

/// Sets these digests apart from other hashes. It never changes.
const CONTEXT: &str = "cartwright decision digest v1";

impl Decision {
    /// 16 bytes of keyed BLAKE3 over everything that was chosen and computed: floats by their bits,
    /// texts with their lengths, lists with their counts, in the order of the struct. The sentences
    /// are left out, so that a later version may say the same in better words.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let mut fields = Fields(blake3::Hasher::new_derive_key(CONTEXT));
        fields.text(self.action.as_str());
        fields.text(&self.arm);
        fields.text(&self.channel);
        fields.count(usize::from(self.offer.is_some()));
        if let Some(offer) = &self.offer {
            fields.offer(offer);
        }
        fields.whole(self.max_cost_minor);
        fields.whole(self.value_minor);
        fields.float(self.value);
        fields.float(self.propensity);
        fields.float(self.risk);
        fields.text(&self.currency);
        fields.count(usize::from(self.runner_up.is_some()));
        if let Some(second) = &self.runner_up {
            fields.text(second.action.as_str());
            fields.text(&second.arm);
            fields.whole(second.value_minor);
        }
        fields.count(self.considered.len());
        for arm in &self.considered {
            fields.considered(arm);
        }
        fields.count(self.items_shown);
        fields.end()
    }
}

struct Fields(blake3::Hasher);

impl Fields {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn whole(&mut self, number: i64) {
        self.0.update(&number.to_le_bytes());
    }

    fn float(&mut self, number: f64) {
        self.0.update(&number.to_bits().to_le_bytes());
    }

    fn offer(&mut self, offer: &Offer) {
        self.float(offer.percent_off);
        self.whole(offer.discount_minor);
        self.whole(offer.max_discount_minor);
        self.0.update(&offer.valid_for.as_nanos().to_le_bytes());
        self.count(offer.line_discounts_minor.len());
        for discount in &offer.line_discounts_minor {
            self.whole(*discount);
        }
    }

    fn considered(&mut self, arm: &Considered) {
        self.text(&arm.arm);
        self.text(arm.action.as_str());
        self.count(usize::from(arm.eligible.is_ok()));
        self.whole(arm.value_minor);
        self.float(arm.propensity);
        self.float(arm.uplift);
        self.whole(arm.cost_minor);
    }

    fn end(self) -> [u8; 16] {
        let hash = *self.0.finalize().as_bytes();
        let mut digest = [0; 16];
        for (byte, hashed) in digest.iter_mut().zip(hash) {
            *byte = hashed;
        }
        digest
    }
}
