"""A source and a harmonizer without the Go SDK: all that the protocol asks for.

docs/plugins/protocol.md explains each step. The modules plugin.v1.* are generated
from proto/ with grpcio-tools.
"""

import base64
import datetime
import json
import os
import signal
import sys
import tempfile
import threading
from concurrent import futures

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from plugin.v1 import harmonizer_pb2, harmonizer_pb2_grpc, plugin_pb2, plugin_pb2_grpc, source_pb2, source_pb2_grpc

COOKIE = ("DATADIS_PLUGIN", "5f1d6cc2-datadis-engine-plugin")
LIMIT = 16 << 20
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["username", "password"],
    "properties": {
        "username": {"type": "string", "description": "NIF of the Datadis user.", "examples": ["12345678Z"]},
        "password": {"type": "string", "description": "Password in Datadis.", "x-secret": True},
        "topic": {"type": "string", "description": "Where the sums go.", "default": "python.sums"},
    },
}


def problems(config):
    """What is wrong with a configuration: secrets come apart, by JSON pointer."""
    values = json.loads(config.config_json or "{}")
    missing = [name for name in SCHEMA["required"] if not values.get(name) and not config.secrets["/" + name].text]
    return [plugin_pb2.Problem(path="/" + name, message="is missing") for name in missing]


class Plugin(plugin_pb2_grpc.PluginServicer):
    """The base: what the plugin is, and its configuration."""

    def __init__(self):
        self.config, self.password, self.draining = None, "", False

    def Describe(self, request, context):
        return plugin_pb2.DescribeResponse(
            name="python", kinds=[plugin_pb2.KIND_SOURCE, plugin_pb2.KIND_HARMONIZER], version="1.0.0",
            summary="One user, and a sum for each month", protocol=1, config_schema=json.dumps(SCHEMA),
            sdk=plugin_pb2.Sdk(language="python", version=sys.version.split()[0]))

    def ValidateConfig(self, request, context):
        return plugin_pb2.ValidateConfigResponse(problems=problems(request.config))

    def Configure(self, request, context):
        if problems(request.config):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "username or password is missing")
        self.config = {"topic": "python.sums", **json.loads(request.config.config_json or "{}")}
        self.password = request.config.secrets["/password"].text
        return plugin_pb2.ConfigureResponse(
            route=plugin_pb2.Route(topic="datadis." + request.instance.name, tables=["datadis:raw_datadis_ts_{prop}_{freq}"],
                                   row_keys=[plugin_pb2.RowKey(fields=["cups", "timestamp"])]),
            intake=plugin_pb2.Intake(output_topics=[self.config["topic"]]))

    def CheckHealth(self, request, context):
        return plugin_pb2.CheckHealthResponse()

    def Drain(self, request, context):
        self.draining = True
        return plugin_pb2.DrainResponse()

    def ready(self, context):
        """Refuses work before Configure and after Drain."""
        if self.config is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not configured")
        if self.draining:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the plugin is stopping")


class Source(source_pb2_grpc.SourceServicer):
    def __init__(self, plugin):
        self.plugin = plugin

    def ListGrants(self, request, context):
        self.plugin.ready(context)
        grant = source_pb2.Grant(key="user-1", username=self.plugin.config["username"], own_supplies=True)
        grant.password.text = self.plugin.password
        yield source_pb2.ListGrantsResponse(batch=source_pb2.GrantBatch(grants=[grant]))
        yield source_pb2.ListGrantsResponse(summary=source_pb2.GrantSummary(total=1))


class Harmonizer(harmonizer_pb2_grpc.HarmonizerServicer):
    def __init__(self, plugin):
        self.plugin = plugin

    def HarmonizeTimeSeries(self, request, context):
        self.plugin.ready(context)
        result = harmonizer_pb2.BatchResult()
        for i, chunk in enumerate(request.chunks):
            column = chunk.consumption
            if column.units and len(column.units) != len(chunk.starts):
                result.items.add(item=i, verdict=harmonizer_pb2.VERDICT_REJECTED, reason="bad_chunk",
                                 message=f"{len(column.units)} values for {len(chunk.starts)} readings")
                continue
            # Missing values are 0 in the column, so they do not count.
            value = {"cups": chunk.cups, "month": chunk.month, "sum": sum(column.units), "scale": column.scale}
            result.records.add(item=i, topic=self.plugin.config["topic"], key=chunk.id.encode(), value=json.dumps(value).encode())
        return harmonizer_pb2.HarmonizeTimeSeriesResponse(result=result)


def certificate():
    """A certificate of this process: P-256, signed by itself, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, cert.public_bytes(serialization.Encoding.PEM), cert.public_bytes(serialization.Encoding.DER)


def serve():
    limits = [("grpc.max_receive_message_length", LIMIT), ("grpc.max_send_message_length", LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=limits)
    plugin = Plugin()
    plugin_pb2_grpc.add_PluginServicer_to_server(plugin, server)
    source_pb2_grpc.add_SourceServicer_to_server(Source(plugin), server)
    harmonizer_pb2_grpc.add_HarmonizerServicer_to_server(Harmonizer(plugin), server)
    key, pem, der = certificate()
    client = os.environ["PLUGIN_CLIENT_CERT"].encode()
    credentials = grpc.ssl_server_credentials([(key, pem)], root_certificates=client, require_client_auth=True)
    path = tempfile.mktemp(prefix="plugin", dir=os.environ.get("PLUGIN_UNIX_SOCKET_DIR"))
    server.add_secure_port("unix:" + path, credentials)
    server.start()
    print("1|1|unix|" + path + "|grpc|" + base64.b64encode(der).decode().rstrip("="), flush=True)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()  # the engine is gone
    server.wait_for_termination()


if __name__ == "__main__":
    if os.environ.get(COOKIE[0]) != COOKIE[1]:
        print("A plugin of the Datadis engine: install it with \"engine plugins install\".")
        sys.exit(0)
    serve()
