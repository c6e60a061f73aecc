"""The package `openai`: a file of requests, a batch over it, and its answers."""

import io
import json
import sys
import time

from openai import OpenAI

URL, MODEL = sys.argv[1:3]
client = OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
asked = [
    {
        "custom_id": f"r{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": MODEL, "messages": [{"role": "user", "content": "Where is the tower?"}]},
    }
    for number in range(3)
]
lines = "\n".join(map(json.dumps, asked)).encode()
file = client.files.create(file=("in.jsonl", io.BytesIO(lines)), purpose="batch")
batch = client.batches.create(
    input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"of": "tests"}
)
until = time.monotonic() + 60
while batch.status not in {"completed", "failed"} and time.monotonic() < until:
    time.sleep(0.05)
    batch = client.batches.retrieve(batch.id)
answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
print(
    json.dumps(
        {
            "status": batch.status,
            "completed": batch.request_counts.completed,
            "texts": [answer["response"]["body"]["choices"][0]["message"]["content"] for answer in answers],
            "ids": sorted(answer["custom_id"] for answer in answers),
            "listed": [one.id for one in client.batches.list(limit=5)] == [batch.id],
            "deleted": client.files.delete(file.id).deleted,
        }
    )
)
