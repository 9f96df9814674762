"""The identity and settings of one micro-batch, shared by the driver and its tasks."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_app.config.model import Config
from streaming_app.lake.commit import TransactionId
from streaming_app.model.lineage import LineageWriter
from streaming_app.privacy.addresses import AddressPrivacy
from streaming_app.storage.files import Storage


@dataclass(frozen=True)
class Batch:
    """The identity and the settings of a micro-batch.

    ``stream_id`` names the checkpoint of its source partition, which counts ``batch_id``; ``created_ms`` is when
    the batch began, epoch ms.
    """

    config: Config
    storage: Storage
    stream_id: str
    batch_id: int
    job_id: str
    created_ms: int
    source_partition: str
    is_retry: bool = False
    """Whether an earlier run began this micro-batch and did not commit it."""

    @property
    def transaction(self) -> TransactionId:
        """The transaction id of its commits, the same in every table."""
        return TransactionId(self.stream_id, self.batch_id)

    @property
    def address_privacy(self) -> AddressPrivacy:
        """How client addresses are treated before they are stored, from the configuration."""
        privacy = self.config.privacy
        return AddressPrivacy(privacy.ip, privacy.key())

    def make_lineage_writer(self) -> LineageWriter:
        """The writer of ``process_info`` for the requests of this batch."""
        return LineageWriter(self.job_id, self.created_ms, self.address_privacy.apply)
