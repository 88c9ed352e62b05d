"""
The folders of tests:

unit/      tests each room of event_bus_kafka separately, without servers
sandbox/   tests the sandbox; testing/ tests the kit for tests of services; examples/ tests what examples/ shows
contract/  tests the behaviour of Kafka and registry on which the package relies, on the sandbox and on real servers
flows/     tests services that send and consume, on the sandbox and on real servers
real/      tests what only real servers can show; outbox/ tests relays on real databases; exits/ tests how processes end
interop/   tests this package together with the published edx-event-bus-kafka
model/     tests a worker under all interleavings of its threads, and callers in random transactions

The folders of helpers:

services/  starts servers: brokers, registries, databases, proxies. Benchmarks and examples import only this folder
projects/  contains the Django projects that tests run as processes
support/   contains helpers that several folders use

Names of tests and docstrings contain codes. ``c8`` and ``s8`` are the numbers of faults that were found in consuming
(c) and in sending (s); the git log explains them. ``case_12`` is the number of a situation that the tests must cover.
"""
