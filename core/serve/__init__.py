"""A local HTTP endpoint that finds and names moments: :func:`core.serve.app.make_app` over a
:class:`core.serve.service.Service`.

What is sent is looked at in a workspace of its own and gone once it is answered.
"""
