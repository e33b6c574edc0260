// SPDX-License-Identifier: Apache-2.0

package fact

import "strings"

// ReadFilters reads the packet filters of one node from what iptables-save and
// ip6tables-save, of either variant, and nft list ruleset print, one after the
// other. A table that nft and iptables-save both list is in the result once.
func ReadFilters(listings string) []*Filter {
	facts := &Facts{}
	parsers := []lineParser{&iptablesParser{facts: facts}, &nftParser{facts: facts}}
	number := 0
	for text := range strings.Lines(listings) {
		number++
		for _, p := range parsers {
			p.line(Quote{Line: number, Text: strings.TrimRight(text, "\r\n")})
		}
	}
	withoutTwins(facts.Filters)
	return facts.Filters
}
