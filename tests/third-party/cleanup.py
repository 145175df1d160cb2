"""Removes everything of one run from a cloud: what lies in the projects that the run made, and whatever else bears the
run's name. Answers with what could not be removed. As a program it clears up after a run that was killed:

usage: cleanup.py RUN   with the administrator's OS_* in the environment
"""

import sys
import time

import openstack

LONGEST_S = 120


def remove(cloud, run):
    """`cloud` is an administrator's connection; `run` is the beginning of every name that the run gave."""
    left = []
    projects = [project for project in cloud.identity.projects() if is_named(project, run)]
    users = [user for user in cloud.identity.users() if is_named(user, run)]
    inside = {project.id for project in projects}

    def ours(rows):
        return [row for row in rows if is_named(row, run) or row.project_id in inside]

    remove_servers(cloud, ours, left)
    remove_volumes(cloud, ours, left)
    remove_networks(cloud, ours, left)
    for image in [image for image in cloud.image.images() if is_named(image, run)]:
        cloud.image.update_image(image, is_protected=False)
        attempt(left, image.name, lambda: cloud.image.delete_image(image.id))
    for flavor in [flavor for flavor in cloud.compute.flavors(is_public=None) if is_named(flavor, run)]:
        attempt(left, flavor.name, lambda: cloud.compute.delete_flavor(flavor.id))
    for user in users:
        remove_keypairs(cloud, user.id, left)
        attempt(left, user.name, lambda: cloud.identity.delete_user(user.id))
    for project in projects:
        attempt(left, project.name, lambda: cloud.identity.delete_project(project.id))
    return left


def is_named(row, run):
    return any((text or "").startswith(f"{run}-") for text in (row.name, getattr(row, "description", "")))


def remove_servers(cloud, ours, left):
    def servers():
        return ours(cloud.compute.servers(all_projects=True))

    for server in servers():
        attempt(left, server.name, lambda: cloud.compute.delete_server(server.id))
    until_none(left, servers)


def remove_volumes(cloud, ours, left):
    storage = cloud.block_storage
    for remove_one, rows in (
        (storage.delete_snapshot, lambda: ours(storage.snapshots(all_projects=True))),
        (storage.delete_volume, lambda: ours(storage.volumes(all_projects=True))),
    ):
        for row in rows():
            attempt(left, row.name, lambda: remove_one(row.id))
        until_none(left, rows)


def remove_networks(cloud, ours, left):
    network = cloud.network
    for ip in ours(network.ips()):
        attempt(left, ip.name, lambda: network.delete_ip(ip.id))
    for router in ours(network.routers()):
        attempt(left, router.name, lambda: network.update_router(router.id, routes=[]))
        for port in list(network.ports(device_id=router.id, device_owner="network:router_interface")):
            attempt(left, port.id, lambda: network.remove_interface_from_router(router.id, port_id=port.id))
        attempt(left, router.name, lambda: network.delete_router(router.id))
    for port in ours(network.ports()):
        if not port.device_owner.startswith("network:"):
            attempt(left, port.name or port.id, lambda: network.delete_port(port.id))
    for net in ours(network.networks()):
        attempt(left, net.name, lambda: network.delete_network(net.id))
    # Neutron makes a default group anew for whoever asks; it goes last.
    for group in sorted(ours(network.security_groups()), key=lambda group: group.name == "default"):
        attempt(left, group.name, lambda: network.delete_security_group(group.id))


def remove_keypairs(cloud, user_id, left):
    answer = cloud.compute.get(f"/os-keypairs?user_id={user_id}", microversion="2.10")
    for entry in answer.json().get("keypairs", []):
        name = entry["keypair"]["name"]
        path = f"/os-keypairs/{name}?user_id={user_id}"
        attempt(left, name, lambda: cloud.compute.delete(path, microversion="2.10").raise_for_status())


def attempt(left, name, work):
    try:
        work()
    except Exception as error:  # Whatever it is: the rest is to be removed all the same.
        left.append(f"{name}: {error}")


def until_none(left, rows):
    end = time.monotonic() + LONGEST_S
    while names := [row.name for row in rows()]:
        if time.monotonic() > end:
            left.extend(names)
            return
        time.sleep(0.2)


if __name__ == "__main__":
    remains = remove(openstack.connect(load_yaml_config=False), sys.argv[1])
    print("\n".join(remains))
    sys.exit(1 if remains else 0)
