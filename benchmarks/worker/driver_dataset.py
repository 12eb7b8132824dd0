"""Datasets of `aistore.pytorch`, ours or those of 2.0.0: one pass over all samples is one piece of work."""

from importlib import import_module

from operation import Operation


def prepare(op):
    from aistore import Client

    client = Client(op["endpoint"])
    bucket = client.bucket(op["bucket"])
    samples = SAMPLES[op["name"]](op, client, bucket)

    def once():
        for _ in samples():
            pass

    def check():
        sizes = [size for size in samples() if size is not None]
        return {"count": len(sizes), "size": sum(sizes)}

    return Operation(once, check=check, close=getattr(client, "close", None))


def _class(name):
    module = "batch_iter_dataset" if name == "AISBatchIterDataset" else ""
    return getattr(import_module(f"aistore.pytorch.{module}".rstrip(".")), name)


def map_dataset(op, client, bucket):
    dataset = _class("AISMapDataset")(ais_source_list=[bucket], prefix_map={bucket: op["prefix"]})
    return lambda: (len(dataset[number][1]) for number in range(len(dataset)))


def iter_dataset(op, client, bucket):
    dataset = _class("AISIterDataset")(ais_source_list=[bucket], prefix_map={bucket: op["prefix"]})
    return lambda: (len(data) for _, data in dataset)


def batch_iter_dataset(op, client, bucket):
    dataset = _class("AISBatchIterDataset")(
        ais_source_list=[bucket], client=client, prefix_map={bucket: op["prefix"]}, max_batch_size=op["each"]
    )
    return lambda: (len(data) for _, data in dataset)


def parallel_map_dataset(op, client, bucket):
    dataset = _class("AISParallelMapDataset")(
        ais_source_list=[bucket], prefix_map={bucket: op["prefix"]}, num_workers=op["workers"]
    )

    def samples():
        for number in range(len(dataset)):
            _, data = dataset[number]
            with data:
                yield len(data.buf)

    return samples


def shard_reader(op, client, bucket):
    dataset = _class("AISShardReader")(bucket_list=[bucket], prefix_map={bucket: op["prefix"]})
    return lambda: (len(sample["bin"]) for _, sample in dataset)


def multi_shard_stream(op, client, bucket):
    from aistore.sdk.dataset.data_shard import DataShard

    def samples():
        dataset = _class("AISMultiShardStream")(
            [DataShard(op["endpoint"], op["bucket"], prefix=op["prefix"])]
        )
        for (data,) in dataset:
            yield len(data)

    return samples


SAMPLES = {
    "AISMapDataset": map_dataset,
    "AISIterDataset": iter_dataset,
    "AISBatchIterDataset": batch_iter_dataset,
    "AISParallelMapDataset": parallel_map_dataset,
    "AISShardReader": shard_reader,
    "AISMultiShardStream": multi_shard_stream,
}
