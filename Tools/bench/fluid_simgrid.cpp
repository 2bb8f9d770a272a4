// A fluid case in SimGrid, at its best: one actor starts all transfers, without an actor for each.
// input lines: "link ID CAPACITY" and "flow ID START BYTES CAP(-1: none) COUNT LINK...".
// usage: fluid_simgrid CASE [--cfg=network/optim:Full]; prints seconds spent in the run, and finish times to stderr.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <simgrid/s4u.hpp>
#include <sstream>
#include <string>
#include <vector>
namespace sg = simgrid::s4u;

struct Transfer {
    std::string id, route;
    double start, size, cap;
    std::vector<std::string> links;
};

int main(int argc, char **argv) {
    sg::Engine engine(&argc, argv);
    if (argc != 2) return 2;
    auto *zone = sg::create_star_zone("zone");
    auto *driver = zone->create_host("driver", 1e9);
    std::map<std::string, sg::Link *> links;
    std::vector<Transfer> transfers;
    std::ifstream input(argv[1]);
    for (std::string line; std::getline(input, line);) {
        std::istringstream words(line);
        std::string kind, id;
        words >> kind >> id;
        if (kind == "link") {
            double capacity;
            words >> capacity;
            links[id] = zone->create_link(id, capacity)->set_latency(0);
        } else if (kind == "flow") {
            Transfer t;
            int count;
            t.id = id;
            words >> t.start >> t.size >> t.cap >> count;
            for (int i = 0; i < count; i++) {
                std::string name;
                words >> name;
                t.links.push_back(name);
                t.route += name + " ";
            }
            // A cap is a private link.
            if (t.cap > 0) {
                const std::string cap = "cap " + t.id;
                if (!links.count(cap)) {
                    links[cap] = zone->create_link(cap, t.cap)->set_latency(0);
                }
                t.links.push_back(cap);
                t.route += cap;
            }
            transfers.push_back(t);
        }
    }
    std::map<std::string, std::pair<sg::Host *, sg::Host *>> ends;
    for (const auto &t : transfers) {
        if (ends.count(t.route)) continue;
        const std::string number = std::to_string(ends.size());
        auto *from = zone->create_host("from" + number, 1e9);
        auto *to = zone->create_host("to" + number, 1e9);
        std::vector<sg::LinkInRoute> up;
        for (const auto &name : t.links) up.emplace_back(links[name]);
        zone->add_route(from->get_netpoint(), nullptr, nullptr, nullptr, up, false);
        zone->add_route(nullptr, to->get_netpoint(), nullptr, nullptr, std::vector<sg::LinkInRoute>(), false);
        ends[t.route] = {from, to};
    }
    zone->seal();
    std::stable_sort(transfers.begin(), transfers.end(), [](auto &a, auto &b) { return a.start < b.start; });
    std::vector<sg::CommPtr> running;
    sg::Actor::create("driver", driver, [&] {
        for (const auto &t : transfers) {
            if (t.start > sg::Engine::get_clock()) sg::this_actor::sleep_until(t.start);
            auto comm = sg::Comm::sendto_init();
            comm->set_payload_size(uint64_t(t.size));
            comm->set_source(ends[t.route].first);
            comm->set_destination(ends[t.route].second);
            // Naming both ends starts it.
            running.push_back(comm);
        }
        for (auto &comm : running) comm->wait();
    });
    const auto begin = std::chrono::steady_clock::now();
    engine.run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.6f\n", took.count());
    for (size_t i = 0; i < transfers.size(); i++)
        std::fprintf(stderr, "%s %.17g\n", transfers[i].id.c_str(), running[i]->get_finish_time());
}
