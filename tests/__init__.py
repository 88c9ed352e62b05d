"""
unit/      one room of event_bus_kafka after another, without servers
sandbox/   the sandbox; testing/ the kit for tests of other services; examples/ what examples/ shows
contract/  what the package relies on in Kafka and registry, the same on the sandbox and on real servers
flows/     services that send and consume, on the sandbox and on real servers
real/      what only real servers can show; outbox/ relays on real databases; exits/ how processes end
interop/   beside the published package; model/ a worker under all interleavings of its threads, and callers at random

services/  what listens: brokers, registries, databases, proxies. Of the tests, benchmarks and examples import it alone
projects/  the Django projects that tests run as processes
support/   helpers that several folders use
"""
