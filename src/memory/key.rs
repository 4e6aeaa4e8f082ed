//! What a memory answers to: everything that a judgement depends on, in one key.

use sha2::{Digest, Sha256};

use crate::event::id::{PatchDigest, hex};

/// What keys of exact memory begin with, in this order: prefix, CVE, digest.
const PREFIX: &str = "wargaming:ml_pred:";
/// Changes with the form of what is kept, so that an old form is never found.
const FORM: &[u8] = b"crisol/exact-memory/3";

/// Everything that the judgement of a patch depends on. What is not in here must not change one.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// The patch, by its producer's id: what is found is of this very patch.
    pub patch_id: &'a str,
    /// The bytes of its diff.
    pub patch_digest: PatchDigest,
    /// The CVE.
    pub cve_id: &'a str,
    /// The digest of what is known of the CVE.
    pub facts: [u8; 32],
    /// The digest of the judges, their settings and those of patch risk.
    pub rules: [u8; 32],
    /// The policy's version.
    pub policy: u32,
    /// The version of what wargames have said of the CVE; 0 while nothing was said.
    pub verdicts: u64,
    /// The hash of who made the patch, if that is told: what is known of others by the same counts.
    pub generator: Option<u64>,
    /// The digest of the files and the commit that came with the diff, if any did.
    pub sources: Option<[u8; 32]>,
}

/// Returns the key of these inputs.
pub fn key_of(inputs: &Inputs<'_>) -> String {
    let Inputs {
        patch_id,
        patch_digest,
        cve_id,
        facts,
        rules,
        policy,
        verdicts,
        generator,
        sources,
    } = inputs;
    let generator = generator.map_or(Vec::new(), |hash| hash.to_le_bytes().to_vec());
    let sources = sources.as_ref().map_or(&[][..], |digest| digest);
    let mut hash = Sha256::new();
    for part in [
        FORM,
        patch_id.as_bytes(),
        patch_digest.as_bytes(),
        cve_id.as_bytes(),
        facts,
        rules,
        &policy.to_le_bytes(),
        &verdicts.to_le_bytes(),
        &generator,
        sources,
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    [&prefix_of(Some(cve_id)), hex(&digest).as_str()].concat()
}

/// Returns what the keys of one CVE begin with, or all of them.
pub fn prefix_of(cve_id: Option<&str>) -> String {
    match cve_id {
        Some(cve_id) => [PREFIX, cve_id, ":"].concat(),
        None => PREFIX.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs<'static> {
        Inputs {
            patch_id: "p-1",
            patch_digest: PatchDigest::of("diff"),
            cve_id: "CVE-2024-1",
            facts: [1; 32],
            rules: [2; 32],
            policy: 1,
            verdicts: 0,
            generator: None,
            sources: None,
        }
    }

    #[test]
    fn the_key_names_the_cve_and_the_digest() {
        let key = key_of(&inputs());
        let digest = key.strip_prefix("wargaming:ml_pred:CVE-2024-1:").unwrap();
        assert_eq!(digest.len(), 64);
        assert_eq!(key, key_of(&inputs()));
    }

    #[test]
    fn a_change_of_any_input_is_another_key() {
        let mut others: Vec<Inputs<'static>> = vec![inputs(); 9];
        others[0].patch_id = "p-2";
        others[1].patch_digest = PatchDigest::of("diff ");
        others[2].cve_id = "CVE-2024-2";
        others[3].facts[31] ^= 1;
        others[4].rules[0] ^= 1;
        others[5].policy = 2;
        others[6].verdicts = 1;
        others[7].generator = Some(0);
        others[8].sources = Some([0; 32]);
        let mut keys: Vec<String> = others.iter().map(key_of).collect();
        keys.push(key_of(&inputs()));
        let distinct: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
