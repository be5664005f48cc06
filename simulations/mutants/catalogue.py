"""Every mutant. What lies below the store (lost fsyncs, torn writes, cut logs) is tried on real files elsewhere."""

from simulations.mutants.of_delivery import OF_DELIVERY
from simulations.mutants.of_keys import OF_KEYS
from simulations.mutants.of_machines import OF_MACHINES
from simulations.mutants.of_stores import OF_STORES

CATALOGUE = OF_MACHINES + OF_DELIVERY + OF_KEYS + OF_STORES
