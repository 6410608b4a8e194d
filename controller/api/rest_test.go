package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/weft-sdn/weft/controller/model"
	weftv1 "github.com/weft-sdn/weft/proto/weft/v1"
)

// rest is a client of the HTTP door.
type rest struct {
	*door
	url string
}

func openREST(t *testing.T) *rest {
	t.Helper()
	d := openDoor(t, nil)
	r, err := d.server.NewREST(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "weft_metric 1\n") }))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = r.Server
	s.Start()
	t.Cleanup(func() {
		// Streams end first, as Run sees to it in a controller.
		d.server.close()
		s.Close()
		r.Close()
	})
	return &rest{d, s.URL}
}

// do sends JSON and returns the status code and the answer.
func (r *rest) do(method, path, body string, change ...func(*http.Request)) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// pick reads values out of JSON by their paths, one line.
func pick(t *testing.T, text string, paths ...string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var out []string
	for _, p := range paths {
		v := tree
		for name := range strings.SplitSeq(p, ".") {
			switch at := v.(type) {
			case map[string]any:
				v = at[name]
			case []any:
				v = at[int(name[0]-'0')]
			}
		}
		out = append(out, fmt.Sprint(v))
	}
	return strings.Join(out, " ")
}

func TestRESTDoesWhatGRPCDoes(t *testing.T) {
	r := openREST(t)
	for _, tc := range []struct {
		name         string
		method, path string
		body         string
		code         int
		paths        []string
		want         string
	}{
		{"create", "POST", "/v1/networks", `{"metadata":{"id":"` + blueID + `","name":"blue"},"mtu":1400,"admin_state_up":false}`, 200,
			[]string{"metadata.id", "mtu", "admin_state_up", "provider_network_type", "l2_population", "status.status"}, blueID + " 1400 false vxlan true DOWN"},
		{"try", "POST", "/v1/networks?validate_only=true", `{"metadata":{"name":"red"}}`, 200, []string{"metadata.name", "metadata.etag"}, "red "},
		{"read by name", "GET", "/v1/networks/blue", "", 200, []string{"metadata.id", "metadata.generation"}, blueID + " 1"},
		{"list", "GET", "/v1/networks?page_size=5&name=blue", "", 200, []string{"networks.0.metadata.name", "next_page_token"}, "blue "},
		{"an empty list is a list", "GET", "/v1/ports", "", 200, []string{"ports"}, "[]"},
		{"patch: only what is in the body", "PATCH", "/v1/networks/blue", `{"metadata":{"description":"new"}}`, 200,
			[]string{"metadata.description", "metadata.name", "mtu", "metadata.generation"}, "new blue 1400 2"},
		{"patch: null is as if never given", "PATCH", "/v1/networks/" + blueID, `{"mtu":0,"admin_state_up":null}`, 200, []string{"mtu", "admin_state_up", "status.status"}, "1450 true ACTIVE"},
		{"patch: a mask", "PATCH", "/v1/networks/blue?update_mask=mtu", `{"mtu":1300,"metadata":{"description":"not this"}}`, 200, []string{"mtu", "metadata.description"}, "1300 new"},
		{"upsert", "PATCH", "/v1/networks/green?allow_missing=true", `{"mtu":1200}`, 200, []string{"mtu", "metadata.name"}, "1200 green"},
		{"apply", "POST", "/v1:apply", `{"objects":[{"port":{"metadata":{"name":"p"},"network_id":"blue"}},{"subnet":{"metadata":{"name":"s"},"network_id":"blue","cidr":"10.0.0.0/24"}}]}`, 200,
			[]string{"results.0.action", "results.1.object.name"}, "created s"},
		{"a port that is told what not to choose", "POST", "/v1/ports?create_mask=security_groups,fixed_ips&validate_only=true", `{"network_id":"blue"}`, 200,
			[]string{"port_security_enabled", "security_groups", "fixed_ips"}, "true [] []"},
		{"wait", "GET", "/v1:waitApplied?timeout=1s", "", 200, []string{"applied"}, "true"},
		{"a router", "POST", "/v1/routers", `{"metadata":{"name":"edge"}}`, 200, []string{"distributed", "external_gateway_info", "interfaces", "status.status"}, "true <nil> [] ACTIVE"},
		{"a subnet of it, as Neutron says it", "PUT", "/v1/routers/edge/add_router_interface", `{"subnet_id":"s"}`, 200,
			[]string{"interface.ip_addresses.0", "router.metadata.name"}, "10.0.0.1 edge"},
		{"a page that cannot ask", "PUT", "/v1/routers/edge/remove_router_interface", `{}`, 400, []string{"details.1.field_violations.0.field"}, "subnet_id"},
		{"and not any more", "PUT", "/v1/routers/edge/remove_router_interface", `{"subnet_id":"s"}`, 200, []string{"router.interfaces"}, "[]"},
		{"an external network", "POST", "/v1/networks", `{"metadata":{"name":"public"},"provider_network_type":"flat","provider_physical_network":"physnet1","router_external":true}`, 200,
			[]string{"router_external"}, "true"},
		{"its addresses", "POST", "/v1/subnets", `{"metadata":{"name":"public-v4"},"network_id":"public","cidr":"203.0.113.0/24","enable_dhcp":false}`, 200, []string{"enable_dhcp"}, "false"},
		{"a gateway", "PATCH", "/v1/routers/edge", `{"external_gateway_info":{"network_id":"public"}}`, 200,
			[]string{"external_gateway_info.external_fixed_ips.0.ip_address", "external_gateway_info.enable_snat"}, "203.0.113.2 true"},
		{"the gateway without SNAT", "PATCH", "/v1/routers/edge", `{"external_gateway_info":{"enable_snat":false}}`, 200,
			[]string{"external_gateway_info.external_fixed_ips.0.ip_address", "external_gateway_info.enable_snat"}, "203.0.113.2 false"},
		{"no gateway: null", "PATCH", "/v1/routers/edge", `{"external_gateway_info":null}`, 200, []string{"external_gateway_info"}, "<nil>"},
		{"a floating IP", "POST", "/v1/floatingips", `{"floating_network_id":"public","floating_ip_address":"203.0.113.7"}`, 200, []string{"floating_ip_address", "status.status"}, "203.0.113.7 DOWN"},
		{"by its address", "GET", "/v1/floatingips/203.0.113.7", "", 200, []string{"port_id"}, ""},
		{"no port forwardings", "GET", "/v1/portforwardings?floatingip_id=203.0.113.7", "", 200, []string{"portforwardings"}, "[]"},
		{"a router between", "PATCH", "/v1/routers/edge", `{"external_gateway_info":{"network_id":"public"},"interfaces":[{"subnet_id":"s"}]}`, 200, []string{"interfaces.0.ip_addresses.0"}, "10.0.0.1"},
		{"a port forwarding", "POST", "/v1/portforwardings", `{"metadata":{"name":"ssh"},"floatingip_id":"203.0.113.7","protocol":"tcp","external_port":2222,"internal_port_id":"p","internal_port":22}`, 200,
			[]string{"external_port", "internal_port"}, "2222 22"},
		{"it is changed", "PATCH", "/v1/portforwardings/ssh", `{"external_port":2223}`, 200, []string{"external_port", "internal_port"}, "2223 22"},
		{"it is no more", "DELETE", "/v1/portforwardings/ssh", "", 200, nil, ""},
		{"the floating IP for a port", "PATCH", "/v1/floatingips/203.0.113.7", `{"port_id":"p"}`, 200, []string{"fixed_ip_address"}, "10.0.0.2"},
		{"and for none", "PATCH", "/v1/floatingips/203.0.113.7", `{"port_id":null}`, 200, []string{"fixed_ip_address"}, ""},
		{"no router between", "PATCH", "/v1/routers/edge", `{"external_gateway_info":null,"interfaces":[]}`, 200, []string{"interfaces"}, "[]"},
		{"where the router is", "GET", "/v1/diagnostics/where?kind=router&object=edge", "", 200, []string{"object.name", "places"}, "edge []"},
		{"a namespace of no host", "GET", "/v1/diagnostics/namespace?host=h&namespace=qrouter-edge", "", 404, []string{"code"}, "5"},
		{"it goes", "DELETE", "/v1/routers/edge", "", 200, nil, ""},
		{"status", "GET", "/v1/diagnostics/status", "", 200, []string{"version", "objects.network"}, "v0-test 3"},
		{"refused delete", "DELETE", "/v1/networks/blue", "", 400, []string{"code", "details.0.reason"}, "9 IN_USE"},
		{"delete", "DELETE", "/v1/networks/green", "", 200, nil, ""},
		{"not found", "GET", "/v1/networks/blu", "", 404, []string{"code", "message", "details.0.reason"}, `5 network "blu" does not exist; did you mean "blue"? NOT_FOUND`},
		{"stale", "DELETE", "/v1/ports/p?etag=1", "", 409, []string{"code", "details.0.reason"}, "10 CONFLICT"},
		{"taken", "POST", "/v1/networks", `{"metadata":{"id":"` + blueID + `"}}`, 409, []string{"code", "details.1.field_violations.0.field"}, "6 metadata.id"},
		{"wrong fields", "POST", "/v1/subnets", `{"network_id":"blue","cidr":"10.0.0.1/24"}`, 400,
			[]string{"details.1.field_violations.0.field", "details.1.field_violations.0.description"}, `cidr "10.0.0.1/24" has host bits; did you mean 10.0.0.0/24?`},
		{"unknown fields, all at once", "POST", "/v1/networks", `{"mtuu":1400,"metadata":{"nam":"x","labels":{"a":"b"}},"providerNetworkType":"gre"}`, 400,
			[]string{"code", "details.0.reason", "details.1.field_violations.0.field", "details.1.field_violations.1.field", "message"},
			`3 INVALID_FIELDS metadata.nam mtuu metadata.nam: is no field of a metadata; did you mean "name"?; mtuu: is no field of a network; did you mean "mtu"?`},
		{"an unknown field in a list", "POST", "/v1:apply", `{"objects":[{},{"port":{"fixed_ips":[{"subnet_id":"s"},{"ip":"10.0.0.1"}]}}]}`, 400,
			[]string{"details.1.field_violations.0.field"}, "objects[1].port.fixed_ips[1].ip"},
		{"an unknown field in a patch", "PATCH", "/v1/networks/blue", `{"mtuu":1400}`, 400, []string{"code", "details.1.field_violations.0.field"}, "3 mtuu"},
		{"an unknown parameter, which must not write", "POST", "/v1/networks?validate_onyl=true", `{"metadata":{"name":"red"}}`, 400,
			[]string{"message", "details.1.field_violations.0.field"}, `validate_onyl: is no parameter of this request; did you mean "validate_only"? validate_onyl`},
		{"no JSON", "POST", "/v1/networks", `{"mtu":`, 400, []string{"code"}, "3"},
		{"a number where there is text", "POST", "/v1/networks", `{"metadata":{"name":7}}`, 400, []string{"code"}, "3"},
		{"nothing there", "GET", "/v1/vpns", "", 404, []string{"code"}, "5"},
		{"a method that there is not", "PUT", "/v1/networks/blue", "{}", 501, []string{"code"}, "12"},
	} {
		code, body := r.do(tc.method, tc.path, tc.body)
		if code != tc.code || pick(t, body, tc.paths...) != tc.want {
			t.Errorf("%s: %d %s\nwant %d %s", tc.name, code, body, tc.code, tc.want)
		}
	}
	if snap, _ := r.store.Snapshot(); snap.Len("networks") != 2 {
		t.Errorf("%d networks", snap.Len("networks"))
	}
}

// What was read over REST can be patched back whole.
func TestRESTWritesBackWhatItRead(t *testing.T) {
	r := openREST(t)
	r.apply(network("blue", func(n *weftv1.Network) { n.Metadata.Labels = map[string]string{"a": "1"} }), subnet("s", "blue", "10.0.0.0/24"), port("p", "blue"), host("compute1"))
	r.apply(external("public", publicID, "physnet1", publicSubID, "203.0.113.0/24")...)
	r.apply(router("edge", func(o *weftv1.Router) {
		o.ExternalGatewayInfo, o.Interfaces = &weftv1.ExternalGatewayInfo{NetworkId: "public"}, []*weftv1.RouterInterface{{SubnetId: "s"}}
		o.Routes = []*weftv1.Route{{Destination: "192.168.0.0/16", Nexthop: "10.0.0.9"}}
	}), floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress, f.PortId = "203.0.113.7", "p" }),
		floatingIP("public", func(f *weftv1.FloatingIP) { f.FloatingIpAddress = "203.0.113.8" }), port("q", "blue"),
		portForwarding("203.0.113.8", "tcp", 80, "q", 80, func(f *weftv1.PortForwarding) { f.Metadata.Name = "pages" }))
	r.plug("compute1", model.Interface{Name: "tap0", OFPort: 1, IfaceID: "x"})
	_, before := r.store.Snapshot()
	for _, path := range []string{"/v1/networks/blue", "/v1/subnets/s", "/v1/ports/p", "/v1/hosts/compute1", "/v1/routers/edge", "/v1/floatingips/203.0.113.7",
		"/v1/portforwardings/pages", "/v1/networks/public"} {
		code, body := r.do("GET", path, "")
		if code != 200 {
			t.Fatalf("%s: %d %s", path, code, body)
		}
		code, again := r.do("PATCH", path, body)
		var a, b bytes.Buffer
		if json.Compact(&a, []byte(body)) != nil || json.Compact(&b, []byte(again)) != nil || code != 200 || a.String() != b.String() {
			t.Errorf("%s: %d\n got %s\nwant %s", path, code, &b, &a)
		}
	}
	if _, after := r.store.Snapshot(); after != before {
		t.Errorf("something was written: revision %d after %d", after, before)
	}
}

func TestRESTWatchStreamsLines(t *testing.T) {
	r := openREST(t)
	r.apply(network("blue"))
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/v1:watch?kinds=network", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if s := pick(t, lines.Text(), "result.type", "result.object.network.metadata.name"); !strings.HasPrefix(s, "BOOKMARK") {
				return s
			}
		}
		t.Fatal(lines.Err())
		return ""
	}
	diff(t, "at first", "ADDED blue", next())
	r.apply(network("red"))
	diff(t, "then", "ADDED red", next())
	if len(res.TransferEncoding) != 1 || res.TransferEncoding[0] != "chunked" {
		t.Errorf("transfer encoding %v", res.TransferEncoding)
	}
}

func TestHTTPDoorBesidesREST(t *testing.T) {
	r := openREST(t)
	eventually(t, func() error {
		if code, body := r.do("GET", "/healthz", ""); code != 200 || body != "ok\n" {
			return fmt.Errorf("healthz: %d %s", code, body)
		}
		return nil
	})
	if code, body := r.do("GET", "/metrics", ""); code != 200 || body != "weft_metric 1\n" {
		t.Errorf("metrics: %d %s", code, body)
	}
	code, body := r.do("GET", "/openapi.json", "")
	if got := pick(t, body, "swagger", "info.title"); code != 200 || got != "2.0 Weft" {
		t.Errorf("openapi: %d %s", code, got)
	}
	for _, path := range []string{"/v1/networks", "/v1/networks/{id}", "/v1:apply", "/v1:watch", "/v1/diagnostics/flows"} {
		if !strings.Contains(body, `"`+path+`"`) {
			t.Errorf("the OpenAPI file does not have %s", path)
		}
	}
	r.store.Close()
	eventually(t, func() error {
		if code, body := r.do("GET", "/healthz", ""); code != 503 {
			return fmt.Errorf("healthz without a store: %d %s", code, body)
		}
		return nil
	})
}

// A page in a browser on the controller's machine can send requests to loopback; none of them may do anything.
func TestHTTPDoorIsNotForStrangersPages(t *testing.T) {
	r := openREST(t)
	port := func() string { u, _ := url.Parse(r.url); return u.Port() }()
	const blue = `{"metadata":{"name":"blue"}}`
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		code   int
	}{
		{"a form", func(q *http.Request) { q.Header.Set("Content-Type", "text/plain") }, 415},
		{"another origin", func(q *http.Request) { q.Header.Set("Origin", "http://evil.example") }, 403},
		{"a name that was made to point here", func(q *http.Request) { q.Host = "evil.example:" + port }, 403},
		{"localhost", func(q *http.Request) { q.Host = "localhost:" + port }, 200},
		{"its own origin", func(q *http.Request) { q.Header.Set("Origin", "http://"+q.Host) }, 200},
		{"JSON with a charset", func(q *http.Request) { q.Header.Set("Content-Type", "application/json; charset=utf-8") }, 200},
	} {
		if code, body := r.do("POST", "/v1/networks", blue, func(q *http.Request) {
			q.Host = q.URL.Host
			tc.change(q)
		}); code != tc.code {
			t.Errorf("%s: %d %s, want %d", tc.name, code, body, tc.code)
		}
	}
	if code, body := r.do("POST", "/v1/networks", `{"metadata":{"name":"`+strings.Repeat("x", maxRequest)+`"}}`); code != 400 {
		t.Errorf("a request that is too large: %d %.100s", code, body)
	}
}
