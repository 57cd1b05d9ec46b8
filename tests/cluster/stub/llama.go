package main

import "net/http"

// llamaRoutes are what llama-server has beside OpenAI's API (tools/server/README.md).
func (s *Server) llamaRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /slots", s.faulty("api", s.slots))
	mux.HandleFunc("GET /props", s.faulty("api", s.props))
}

// slots lists the seats; with fail_on_no_slot it answers 503 when all are taken.
func (s *Server) slots(w http.ResponseWriter, r *http.Request) {
	busy := int(s.engine.Snapshot(s.shown()).Values["running"])
	if busy >= s.options.Seats && r.URL.Query().Has("fail_on_no_slot") {
		writeLlamaError(w, http.StatusServiceUnavailable, "unavailable_error", "no slot available")
		return
	}
	slots := []any{}
	for id := range s.options.Seats {
		slots = append(slots, map[string]any{
			"id": id, "n_ctx": s.options.MaxModelLen, "speculative": false, "is_processing": id < busy,
		})
	}
	writeJSON(w, http.StatusOK, slots)
}

func (s *Server) props(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"total_slots": s.options.Seats, "model_path": s.options.Model, "model_alias": s.model(),
		"endpoint_slots": true, "endpoint_props": false, "endpoint_metrics": s.options.Metrics,
	})
}

// metricsNotSupported is llama-server's answer on /metrics when it was started without --metrics.
func (s *Server) metricsNotSupported(w http.ResponseWriter, _ *http.Request) {
	writeLlamaError(w, http.StatusNotImplemented, "not_supported_error",
		"This server does not support metrics endpoint. Start it with `--metrics`")
}

func writeLlamaError(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "type": kind}})
}
