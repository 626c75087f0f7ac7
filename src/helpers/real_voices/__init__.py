"""Recognisers trained on much speech, and the mini, on people's voices through the book's channel.

`speech` obtains the recordings and their texts, `recognisers` hears them, `run` records, `results`
reads what was recorded. `adapting` trains parts of Whisper on calls. Only recording needs what
`tools/real_voices_requirements.txt` names.
"""
