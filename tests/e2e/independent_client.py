"""An independent gRPC client: Python's grpcio, knowing none of our generated code.

It lists services by reflection, fetches the descriptors of the slice service from the server, passes the health check
and calls ListSlices with a token. Usage: independent_client.py HOST:PORT TOKEN. Prints one JSON object.
"""
import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as F

try:
    from google.protobuf.message_factory import GetMessageClass
except ImportError:
    from google.protobuf.message_factory import MessageFactory

    GetMessageClass = MessageFactory().GetPrototype

address, token = sys.argv[1:3]
channel = grpc.insecure_channel(address)
pool = descriptor_pool.DescriptorPool()


def message(file, name, *fields):
    made = file.message_type.add(name=name)
    for number, (field, kind, label, type_name) in fields:
        made.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)


# grpc.reflection.v1 and grpc.health.v1, as far as they are used here.
file = descriptor_pb2.FileDescriptorProto(name="used.proto", package="used", syntax="proto3")
one, many = F.LABEL_OPTIONAL, F.LABEL_REPEATED
message(file, "Request", (3, ("file_by_filename", F.TYPE_STRING, one, None)), (4, ("file_containing_symbol", F.TYPE_STRING, one, None)), (7, ("list_services", F.TYPE_STRING, one, None)))
message(file, "Files", (1, ("file_descriptor_proto", F.TYPE_BYTES, many, None)))
message(file, "Service", (1, ("name", F.TYPE_STRING, one, None)))
message(file, "Services", (1, ("service", F.TYPE_MESSAGE, many, ".used.Service")))
message(file, "Response", (4, ("files", F.TYPE_MESSAGE, one, ".used.Files")), (6, ("services", F.TYPE_MESSAGE, one, ".used.Services")))
message(file, "HealthRequest", (1, ("service", F.TYPE_STRING, one, None)))
message(file, "HealthResponse", (1, ("status", F.TYPE_INT32, one, None)))
pool.Add(file)


def of(name):
    return GetMessageClass(pool.FindMessageTypeByName(name))


def reflect(**question):
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=of("used.Response").FromString,
    )
    return next(call(iter([of("used.Request")(**question)])))


def load(file_bytes):
    for raw in file_bytes:
        described = descriptor_pb2.FileDescriptorProto.FromString(raw)
        try:
            pool.FindFileByName(described.name)
            continue
        except KeyError:
            pass
        for dependency in described.dependency:
            try:
                pool.FindFileByName(dependency)
            except KeyError:
                load(reflect(file_by_filename=dependency).files.file_descriptor_proto)
        pool.Add(described)


services = [service.name for service in reflect(list_services="*").services.service]
health = channel.unary_unary(
    "/grpc.health.v1.Health/Check",
    request_serializer=lambda m: m.SerializeToString(),
    response_deserializer=of("used.HealthResponse").FromString,
)(of("used.HealthRequest")(service="pucp.slice.v1.SliceService"), timeout=10)
load(reflect(file_containing_symbol="pucp.slice.v1.SliceService").files.file_descriptor_proto)


def list_slices(metadata):
    call = channel.unary_unary(
        "/pucp.slice.v1.SliceService/ListSlices",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=of("pucp.slice.v1.ListSlicesResponse").FromString,
    )
    return call(of("pucp.slice.v1.ListSlicesRequest")(), timeout=10, metadata=metadata)


try:
    list_slices([])
    refused = None
except grpc.RpcError as error:
    refused = error.code().name
answer = list_slices([("authorization", f"Bearer {token}")])
print(json.dumps({"services": services, "health": health.status, "refused": refused, "answer": json_format.MessageToDict(answer)}))
