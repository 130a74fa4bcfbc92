"""The unmodified `openai` package for Python against the gateway.

Environment: COCOON_SDK_API (base URL ending in /v1), COCOON_SDK_MODEL (a model of the canned engine), COCOON_SDK_KEY (optional).
"""

import json
import os
import time
import unittest
import urllib.request

import openai

API = os.environ["COCOON_SDK_API"]
MODEL = os.environ["COCOON_SDK_MODEL"]
KEY = os.environ.get("COCOON_SDK_KEY", "none")
ASK = [{"role": "user", "content": "Say something."}]


def client(**options):
    return openai.OpenAI(base_url=API, api_key=KEY, max_retries=0, timeout=30, **options)


class Answers(unittest.TestCase):
    def test_chat(self):
        raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=ASK, max_tokens=16)
        answer = raw.parse()
        self.assertTrue(answer.choices[0].message.content)
        self.assertGreater(answer.usage.prompt_tokens, 0)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertTrue(raw.headers["x-request-id"].startswith("req_"))
        self.assertIn(raw.headers["x-cocoon-tier"], ("open", "simulated"))

    def test_chunks_arrive_spread_over_time(self):
        arrivals, text, usage = [], "", None
        stream = client().chat.completions.create(
            model=MODEL,
            messages=ASK,
            max_tokens=64,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"x_pace_ms": 25},
        )
        for chunk in stream:
            arrivals.append(time.monotonic())
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            if chunk.usage:
                usage = chunk.usage
        self.assertTrue(text)
        self.assertGreater(usage.completion_tokens, 0)
        self.assertGreater(len(arrivals), 5)
        self.assertGreater(arrivals[-1] - arrivals[0], 0.1, "all chunks came at once")
        distinct = sum(1 for earlier, later in zip(arrivals, arrivals[1:]) if later - earlier > 0.004)
        self.assertGreater(distinct, len(arrivals) // 2, "chunks came in lumps")

    def test_a_stream_without_include_usage_has_no_usage_chunk(self):
        stream = client().chat.completions.create(model=MODEL, messages=ASK, max_tokens=16, stream=True)
        for chunk in stream:
            self.assertTrue(chunk.choices, "a chunk without choices would break apps that index choices[0]")
            self.assertIsNone(chunk.usage)

    def test_tools(self):
        tool = {
            "type": "function",
            "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
        }
        answer = client().chat.completions.create(model=MODEL, messages=ASK, tools=[tool], tool_choice="required")
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "weather")
        self.assertIsInstance(json.loads(call.function.arguments), dict)
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")

    def test_json_schema(self):
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        answer = client().chat.completions.create(
            model=MODEL,
            messages=ASK,
            response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema}},
        )
        self.assertIsInstance(json.loads(answer.choices[0].message.content), dict)

    def test_inline_image(self):
        pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": pixel}}]
        answer = client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
        self.assertTrue(answer.choices[0].message.content)

    def test_completions(self):
        answer = client().completions.create(model=MODEL, prompt="Once", max_tokens=8)
        self.assertTrue(answer.choices[0].text)

    def test_embeddings(self):
        answer = client().embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        self.assertEqual(len(answer.data), 2)
        self.assertGreater(len(answer.data[0].embedding), 1)

    def test_models(self):
        names = [model.id for model in client().models.list()]
        self.assertIn(MODEL, names)
        self.assertEqual(client().models.retrieve(MODEL).id, MODEL)


class Errors(unittest.TestCase):
    def test_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(model="no-such-model", messages=ASK)
        self.assertEqual(caught.exception.code, "model_not_found")
        self.assertTrue(caught.exception.request_id.startswith("req_"))

    def test_bad_value(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=ASK, max_tokens=-1)
        self.assertEqual(caught.exception.param, "max_tokens")

    def test_context_too_long(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 5000}])
        self.assertIn("context length", caught.exception.message)

    def test_refused_field(self):
        content = [{"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}]
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
        self.assertEqual(caught.exception.code, "unsupported_parameter")

    def test_tier_that_nobody_serves(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            client().chat.completions.create(model=MODEL, messages=ASK, extra_body={"cocoon": {"tier": "confidential"}})
        self.assertEqual(caught.exception.status_code, 503)
        self.assertEqual(caught.exception.code, "tier_unavailable")

    def test_engine_failure(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            client().chat.completions.create(model=MODEL, messages=ASK, extra_body={"x_fault": "500"})
        self.assertEqual(caught.exception.status_code, 502)

    def test_timeout(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            client().chat.completions.create(
                model=MODEL, messages=ASK, extra_body={"x_fault": "hang", "cocoon": {"timeout": 1}}
            )
        self.assertEqual(caught.exception.status_code, 504)

    def test_a_cut_stream_is_an_error(self):
        with self.assertRaises(openai.APIError):
            for _ in client().chat.completions.create(
                model=MODEL, messages=ASK, stream=True, extra_body={"x_fault": "cut"}
            ):
                pass

    def test_not_json(self):
        request = urllib.request.Request(f"{API}/chat/completions", data=b"{", headers={"content-type": "application/json"})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        self.assertEqual(caught.exception.code, 400)
        self.assertEqual(json.load(caught.exception)["error"]["type"], "invalid_request_error")

    def test_unknown_url(self):
        with self.assertRaises(openai.NotFoundError):
            client().get("/no/such/url", cast_to=object)


if __name__ == "__main__":
    unittest.main()
