"""A server with a certificate that nobody has signed but itself. Says where it listens and answers nothing."""

import pathlib
import socket
import ssl

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pathlib.Path(__file__).with_name("self_signed.pem"))
with socket.create_server(("127.0.0.1", 0)) as listener:
    host, port = listener.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    while True:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                # Whoever gets this far has trusted it, and is heard of by what fails to come.
                secured.sendall(b"HTTP/1.1 500 Trusted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        except OSError:
            connection.close()
