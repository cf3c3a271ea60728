"""Questions about more events than one round trip should carry."""

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.event_scripts import EventScripts


def test_thousands_of_questions_are_answered_in_order(redis_url: str) -> None:
    pipeline = AutoPipeline(ScriptConnection(redis_url, Scripts()), max_queued=1000)
    asked = [str(number).encode() for number in range(1201)]
    assert EventScripts(pipeline).ask_all([("ECHO", text) for text in asked]) == asked
    pipeline.close()
