"""Uses an engine the way users of the openai package do, and says what came of it.

Usage: openai_client.py BASE_URL MODEL [EMBEDDING_MODEL]; the key is read from standard input.
"""

import json
import sys

import openai
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

PROMPT = [{"role": "user", "content": "Name three colours."}]


def main(base_url: str, model: str, embedding_model: str | None) -> None:
    key = sys.stdin.read().strip()
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=120)
    seen = {"package": openai.__version__}

    assert [found.id for found in client.models.list()][0] == model
    assert client.models.retrieve(model).owned_by == "hornbook"

    drawing = {"model": model, "temperature": 0.7, "seed": 11, "max_tokens": 24}
    whole = client.chat.completions.create(messages=PROMPT, **drawing)
    # The package reads any reply; its types say what a strict client would take.
    strict = ChatCompletion.model_validate(whole.model_dump(exclude_unset=True))
    assert strict.choices[0].message.role == "assistant"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert 0 < whole.usage.completion_tokens <= 24
    assert whole.usage.prompt_tokens_details.cached_tokens <= whole.usage.prompt_tokens
    assert whole.system_fingerprint.startswith("fp_")
    assert whole._request_id
    seen["text"] = whole.choices[0].message.content
    seen["finish_reason"] = whole.choices[0].finish_reason

    text, roles, reasons, usage, chunks = "", [], [], None, 0
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(messages=PROMPT, stream=True, stream_options=options, **drawing):
        ChatCompletionChunk.model_validate(chunk.model_dump(exclude_unset=True))
        chunks += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
            reasons += [choice.finish_reason] if choice.finish_reason else []
    assert text == seen["text"], (text, seen["text"])
    assert roles == ["assistant"] and reasons == [seen["finish_reason"]], (roles, reasons)
    assert usage.completion_tokens == whole.usage.completion_tokens
    seen["chunks"] = chunks

    with client.chat.completions.stream(messages=PROMPT, **drawing) as stream:
        contents = [event.content for event in stream if event.type == "content.done"]
    assert contents == [text], contents

    several = client.chat.completions.create(messages=PROMPT, n=3, **drawing)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert several.choices[0].message.content == text
    later = client.chat.completions.create(messages=PROMPT, **{**drawing, "seed": 13})
    assert several.choices[2].message.content == later.choices[0].message.content

    bare = client.completions.create(model=model, prompt=["Once upon a", "The sky is"], max_tokens=8, temperature=0)
    Completion.model_validate(bare.model_dump(exclude_unset=True))
    assert len(bare.choices) == 2 and all(choice.text for choice in bare.choices)
    pieces = client.completions.create(model=model, prompt="Once upon a", max_tokens=8, temperature=0, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == bare.choices[0].text

    penalised = client.chat.completions.create(
        messages=[{"role": "developer", "content": "Be brief."}, *PROMPT],
        model=model, max_completion_tokens=8, stop=["\n"], frequency_penalty=0.2, logit_bias={"0": -100},
        user="u", metadata={"a": "b"}, extra_body={"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1},
    )
    assert "\n" not in penalised.choices[0].message.content

    seen["refused"] = refused(client, model)

    if embedding_model:
        seen["embedding"] = embed(client, embedding_model)
    print(json.dumps(seen))


def refused(client: openai.OpenAI, model: str) -> dict[str, str]:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    cases = {
        "tools": {"tools": [tool]},
        "response_format": {"response_format": {"type": "json_object"}},
        "temperature": {"temperature": 9},
        "odd_field": {"extra_body": {"odd_field": 1}},
    }
    codes = {}
    for param, fields in cases.items():
        for stream in (False, True):
            try:
                client.chat.completions.create(model=model, messages=PROMPT, stream=stream, **fields)
                raise AssertionError(f"{param} was taken")
            except openai.BadRequestError as error:
                assert error.param == param, error
                codes[param] = error.code
    try:
        client.chat.completions.create(model="gpt-4o", messages=PROMPT)
        raise AssertionError("another model answered")
    except openai.NotFoundError as error:
        codes["model"] = error.code
    try:
        long = [{"role": "user", "content": "word " * 20_000}]
        client.chat.completions.create(model=model, messages=long)
        raise AssertionError("a prompt longer than the context was answered")
    except openai.BadRequestError as error:
        codes["messages"] = error.code
    try:
        client.with_options(api_key="sk-wrong-wrong-wrong").models.list()
        raise AssertionError("a wrong key was taken")
    except openai.AuthenticationError as error:
        codes["key"] = error.code
    return codes


def embed(client: openai.OpenAI, model: str) -> dict[str, float]:
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again."]
    # The package asks for base64 unless told otherwise, and decodes it.
    packed = client.embeddings.create(model=model, input=texts)
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    CreateEmbeddingResponse.model_validate(plain.model_dump(exclude_unset=True))
    vectors = [item.embedding for item in packed.data]
    for ours, same in zip(vectors, plain.data, strict=True):
        assert max(abs(a - b) for a, b in zip(ours, same.embedding, strict=True)) < 1e-6
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 15
    alone = client.embeddings.create(model=model, input=texts[1]).data[0].embedding
    assert alone == vectors[1]

    def likeness(a: int, b: int) -> float:
        return sum(x * y for x, y in zip(vectors[a], vectors[b], strict=True))

    return {"dimensions": len(vectors[0]), "near": likeness(0, 1), "far": likeness(0, 2)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
