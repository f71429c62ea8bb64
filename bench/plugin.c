/*
 * A plugin of the C mptcpd: counts connections, and adds a subflow to each from the address in the environment's
 * BENCH_FROM, if it is set. plugins/bench.ts is its twin.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <mptcpd/path_manager.h>
#include <mptcpd/plugin.h>

static unsigned created, closed;
static struct sockaddr_in from;

static void new_connection(mptcpd_token_t token, const struct sockaddr *local, const struct sockaddr *remote,
			   bool server_side, struct mptcpd_pm *pm) {
	(void)token, (void)local, (void)remote, (void)server_side, (void)pm;
	created++;
}

static void connection_established(mptcpd_token_t token, const struct sockaddr *local, const struct sockaddr *remote,
				   bool server_side, struct mptcpd_pm *pm) {
	(void)local;
	if (from.sin_family == AF_INET && !server_side)
		mptcpd_pm_add_subflow(pm, token, 1, 0, (const struct sockaddr *)&from, remote, false);
}

static void connection_closed(mptcpd_token_t token, struct mptcpd_pm *pm) {
	(void)token, (void)pm;
	closed++;
}

static int start(struct mptcpd_pm *pm) {
	static const struct mptcpd_plugin_ops operations = {
		.new_connection = new_connection,
		.connection_established = connection_established,
		.connection_closed = connection_closed,
	};
	const char *text = getenv("BENCH_FROM");
	(void)pm;
	if (text && inet_pton(AF_INET, text, &from.sin_addr) == 1) from.sin_family = AF_INET;
	return mptcpd_plugin_register_ops("bench", &operations) ? 0 : -1;
}

static void end(struct mptcpd_pm *pm) {
	(void)pm;
	fprintf(stderr, "created %u closed %u\n", created, closed);
}

MPTCPD_PLUGIN_DEFINE(bench, "for benchmarks", MPTCPD_PLUGIN_PRIORITY_DEFAULT, start, end)
