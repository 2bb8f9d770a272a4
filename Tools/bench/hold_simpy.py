"""The hold model in SimPy. usage: hold_simpy.py PENDING EVENTS; prints nanoseconds an event."""
import random
import sys
import time

import simpy

pending, events = int(sys.argv[1]), int(sys.argv[2])
environment = simpy.Environment()
draw = random.Random(12345).expovariate


def entity():
    while True:
        yield environment.timeout(draw(1.0))


for _ in range(pending):
    environment.process(entity())
for _ in range(3 * pending):
    environment.step()
begin = time.perf_counter()
for _ in range(events):
    environment.step()
print((time.perf_counter() - begin) / events * 1e9)
