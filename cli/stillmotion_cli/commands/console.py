"""`stillmotion console`: the page."""

from typing import Annotated

import typer

from stillmotion_cli.app import CLIPS, Call, command

Port = Annotated[int, typer.Option(metavar="NUMBER", min=0, max=65535, help="Default: one that is free.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")]


@command("console", CLIPS)
def console(call: Call, port: Port = 0, browser: Browser = True) -> None:
    """Open a page on this machine: make clips, watch jobs, look at what there is.

    Its server on 127.0.0.1 signs the calls with your own AWS credentials, which the page never sees. It takes calls
    from its own page only. Ctrl-C ends it.

    \b
    stillmotion console
    stillmotion console --stack-name stillmotion --no-browser --port 8765
    """
    # Imported here: no other command needs a server.
    from stillmotion_cli.console.server import Shown, serve

    stack = call.stack
    name = call.wanted.stack_name or ("the local stack" if stack.is_local else stack.api_url)
    serve(stack, Shown(name, call.wanted.as_options()), port=port, open_browser=browser, say=call.terminal.say)
