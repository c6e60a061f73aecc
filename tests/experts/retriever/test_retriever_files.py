"""A folder as a corpus: every format is read, offsets point at the text, what cannot be read is told and left out."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.experts.retriever.corpus import Document
from orchestrator.experts.retriever.expert import RetrieverExpert
from orchestrator.experts.retriever.files import UnreadableFile, read
from orchestrator.testing import in_service

pytestmark = pytest.mark.anyio

MARKDOWN = "# Ferns\n\nFerns like *shade*.\n\n## Water\n\nWater them twice a week.\n"
HTML = (
    "<html><head><title>Cacti</title><style>p {color: red}</style><script>var hidden = 1</script></head>"
    "<body><h1>Cacti</h1><p>Cacti need <b>sun</b> and little water.</p></body></html>"
)


def pdf(*pages: str) -> bytes:
    """A PDF of our own making, one line a page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        page = f"/Contents {5 + 2 * number} 0 R /Resources << /Font << /F1 3 0 R >> >>"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {page} >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of each format."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "ferns.md").write_text(MARKDOWN, encoding="utf-8")
    (docs / "cacti.html").write_text(HTML, encoding="utf-8")
    (docs / "moss.txt").write_text("Moss grows on stones where it is damp.", encoding="utf-8")
    (docs / "oaks.pdf").write_bytes(pdf("Oaks live for centuries.", "Acorns feed jays and squirrels."))
    (docs / "more.jsonl").write_text('{"id": "ivy", "title": "Ivy", "text": "Ivy climbs walls."}\n', encoding="utf-8")
    return docs


def said_by(path: Path) -> list[Document]:
    """What the reader of its format gets out of a file."""
    return read(path, path.read_bytes())


async def found(expert: RetrieverExpert, query: str) -> Any:
    """The best passage."""
    return (await expert.search(query, top_k=1))[0]


@pytest.mark.parametrize(
    ("query", "document", "title", "text"),
    [
        ("how often to water ferns", "docs/ferns.md", "Ferns", "twice a week"),
        ("do cacti need sun", "docs/cacti.html", "Cacti", "sun"),
        ("damp stones", "docs/moss.txt", "moss", "Moss grows"),
        ("what do squirrels eat: acorns", "docs/oaks.pdf", "oaks", "Acorns feed jays"),
        ("climbing walls", "docs/more.jsonl#ivy", "Ivy", "Ivy climbs"),
    ],
)
@pytest.mark.usefixtures("folder")
async def test_every_format_is_searched_and_cited(place: Any, query: str, document: str, title: str, text: str) -> None:
    """With the document as the configuration's folder has it, and its title."""
    expert = place.retriever(corpus="docs", embedders=["bm25"], chunk={"size": 12, "overlap": 0})
    async with in_service(expert):
        passage = await found(expert, query)
    assert (passage.document, passage.title) == (document, title)
    assert text in passage.text
    assert "hidden" not in passage.text


async def test_offsets_are_those_of_the_text_that_was_read(place: Any, folder: Path) -> None:
    """Of a page as of a file: start and end cut the passage out of what the reader of its format says."""
    expert = place.retriever(corpus="docs", embedders=["bm25"], chunk={"size": 8, "overlap": 0})
    async with in_service(expert):
        for name, query in (("oaks.pdf", "acorns feed"), ("moss.txt", "damp"), ("ferns.md", "twice a week")):
            passage = await found(expert, query)
            [said] = said_by(folder / name)
            assert said.text[passage.start : passage.end] == passage.text


def spoil(folder: Path) -> None:
    """Add what cannot be served."""
    (folder / "broken.pdf").write_bytes(pdf("gone")[:200])
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(200_000_001)  # takes no room on the disk
    (folder / "latin.txt").write_bytes("Äpfel".encode("latin-1"))
    (folder / "empty.md").write_text("", encoding="utf-8")


async def test_what_cannot_be_read_is_left_out_and_told(place: Any, folder: Path) -> None:
    """A broken PDF, a file that is too large, one that is not UTF-8 and one without text; the rest is served."""
    spoil(folder)
    expert = place.retriever(corpus="docs", embedders=["bm25"], max_file_mb=100)
    async with in_service(expert):
        assert (await found(expert, "damp stones")).document == "docs/moss.txt"
        condition, problems = expert.condition, await expert.live_problems()
    assert (condition.state, "(and 3 more)" in condition.reason) == ("up", True)
    told = " ".join(problem.message for problem in problems)
    for name, why in {
        "broken.pdf": "broken PDF",
        "huge.txt": "200 MB",
        "latin.txt": "UTF-8",
        "empty.md": "no text",
    }.items():
        assert f"docs/{name}: " in told
        assert why in told


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"%PDF-1.4 nothing", "broken PDF"),
        ("a.pdf", pdf(""), "without text"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.md", b"\xc3(", "UTF-8"),
        ("a.html", b"\xc3(", "UTF-8"),
        ("a.docx", b"", "no reader"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_says_so(name: str, content: bytes, reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(UnreadableFile, match=reason):
        read(Path(name), content)


async def test_only_what_is_new_is_embedded(place: Any, folder: Path, embedder: Any) -> None:
    """A file that is added costs its own passages; one that is removed costs nothing and is not found any more."""
    expert = place.retriever(corpus="docs", embedders=["minilm"])
    async with in_service(expert):
        assert (await found(expert, "acorns")).document == "docs/oaks.pdf"
    before = len(embedder.texts)
    (folder / "tulips.txt").write_text("Tulips come up in spring.", encoding="utf-8")
    (folder / "oaks.pdf").unlink()
    place.restarted()
    again = place.retriever(corpus="docs", embedders=["minilm"])
    async with in_service(again):
        assert (await found(again, "flowers in spring")).document == "docs/tulips.txt"
        assert {passage.document for passage in await again.search("acorns", top_k=10)}.isdisjoint({"docs/oaks.pdf"})
    new = [text for text in embedder.texts[before:] if "Tulips" in text]
    assert len(new) == 1
    assert len(embedder.texts) - before <= 6  # the new one, the queries, and one of the old to know the embedder by
