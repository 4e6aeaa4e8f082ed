//! What a client error means for a transaction, sorted as the client sorts it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What to do about a failed step of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Try the same step again.
    Retry,
    /// Abort, rewind to committed offsets, go on with the same producer.
    Abort,
    /// The outcome is unknown or the producer is spent: build a new one, which fences this one, then
    /// rewind.
    Replace,
    /// Another producer took over this transactional id: as [`Remedy::Replace`], but counted.
    Fenced,
    /// Another process runs under this instance id: stop.
    Stop,
}

/// Returns the remedy for an error of a transactional step.
pub fn remedy(error: &KafkaError) -> Remedy {
    let code = error.rdkafka_error_code();
    if code == Some(RDKafkaErrorCode::FencedInstanceId) {
        return Remedy::Stop;
    }
    if is_fencing(code) {
        return Remedy::Fenced;
    }
    match error {
        KafkaError::Transaction(inner) if inner.is_fatal() => Remedy::Replace,
        KafkaError::Transaction(inner) if inner.txn_requires_abort() => Remedy::Abort,
        KafkaError::Transaction(inner) if inner.is_retriable() => Remedy::Retry,
        // A message that could not be produced leaves the transaction open; its siblings must not
        // be committed without it.
        KafkaError::MessageProduction(_) => Remedy::Abort,
        _ => Remedy::Replace,
    }
}

fn is_fencing(code: Option<RDKafkaErrorCode>) -> bool {
    matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::InvalidProducerIdMapping
        )
    )
}

/// Returns whether an error says no more than that brokers are away, which heals by itself.
pub fn is_outage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
    )
}

/// Returns whether an error says that brokers are away, or not ready to answer: it heals when they
/// come back, however long that takes.
pub fn is_absence(error: &KafkaError) -> bool {
    is_outage(error)
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
                    | RDKafkaErrorCode::WaitingForCoordinator
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::UnstableOffsetCommit
            )
        )
}

/// Returns whether a consumer error says that another process runs under this instance id.
pub fn is_instance_fenced(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_they_leave_behind() {
        let produced = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
        assert_eq!(remedy(&produced), Remedy::Abort);
        let fenced = KafkaError::MessageProduction(RDKafkaErrorCode::ProducerFenced);
        assert_eq!(remedy(&fenced), Remedy::Fenced);
        let twin = KafkaError::ConsumerCommit(RDKafkaErrorCode::FencedInstanceId);
        assert_eq!(remedy(&twin), Remedy::Stop);
        assert_eq!(
            remedy(&KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)),
            Remedy::Replace
        );
    }
}
