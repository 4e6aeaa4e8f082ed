//! Kafka's own key hash, for records that lie beside another key's.

/// Returns the partition that the Java clients and librdkafka's `murmur2_random` choose for `key`.
///
/// `partitions` below 1 count as 1.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let positive = murmur2(key) & 0x7fff_ffff;
    (positive % partitions.max(1).unsigned_abs()).cast_signed()
}

/// MurmurHash2, 32 bits, with the seed the Kafka clients use (A. Appleby; `org.apache.kafka.common.utils.Utils`).
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word
            .iter()
            .rev()
            .fold(0_u32, |acc, byte| (acc << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        hash ^= tail
            .iter()
            .rev()
            .fold(0_u32, |acc, byte| (acc << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of Apache Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn the_hash_is_kafkas() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_partition_is_always_one_that_exists() {
        for partitions in [-1, 0, 1, 6, 12] {
            let partition = partition_of(b"CVE-2020-1", partitions);
            assert!((0..partitions.max(1)).contains(&partition));
        }
    }
}
