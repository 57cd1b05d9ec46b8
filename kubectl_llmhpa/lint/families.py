"""Metric families of engines, by prefix: all that the recorded bodies of `tests/bodies/` have.

Not all that there are, so a name that is missing here is only taken for a mistake where it is almost one of the
signals. `tests/unit/test_lint_names.py` keeps the list whole.
"""

from __future__ import annotations

_FAMILIES = {
    "vllm:": """
        admission_rejections_created admission_rejections_total avg_decoding_length avg_itl avg_latency
        cache_config_info cpu_cache_usage_perc cpu_prefix_cache_hit_rate current_qps
        e2e_request_latency_seconds e2e_request_latency_seconds_created engine_sleep_state
        estimated_flops_per_gpu_created estimated_flops_per_gpu_total estimated_read_bytes_per_gpu_created
        estimated_read_bytes_per_gpu_total estimated_write_bytes_per_gpu_created
        estimated_write_bytes_per_gpu_total external_prefix_cache_hits_created
        external_prefix_cache_hits_total external_prefix_cache_queries_created
        external_prefix_cache_queries_total generation_tokens_created generation_tokens_total
        gpu_cache_usage_perc gpu_prefix_cache_hit_rate gpu_prefix_cache_hits_created
        gpu_prefix_cache_hits_total gpu_prefix_cache_queries_created gpu_prefix_cache_queries_total
        healthy_pods_total input_tokens_total inter_token_latency_seconds
        inter_token_latency_seconds_created iteration_tokens_total iteration_tokens_total_created
        kv_cache_usage_perc lora_requests_info mm_cache_hits_created mm_cache_hits_total
        mm_cache_queries_created mm_cache_queries_total model_execute_time_milliseconds
        model_forward_time_milliseconds num_decoding_requests num_incoming_requests_created
        num_incoming_requests_total num_preemptions_created num_preemptions_total num_prefill_requests
        num_requests_running num_requests_swapped num_requests_waiting num_requests_waiting_by_reason
        output_tokens_total prefix_cache_hits_created prefix_cache_hits_total prefix_cache_queries_created
        prefix_cache_queries_total prompt_tokens_by_source_created prompt_tokens_by_source_total
        prompt_tokens_cached_by_source_created prompt_tokens_cached_by_source_total
        prompt_tokens_cached_created prompt_tokens_cached_total prompt_tokens_created prompt_tokens_total
        request_decode_time_seconds request_decode_time_seconds_created request_errors_total
        request_generation_tokens request_generation_tokens_created request_inference_time_seconds
        request_inference_time_seconds_created request_latency_seconds request_max_num_generation_tokens
        request_max_num_generation_tokens_created request_num_preemptions request_num_preemptions_created
        request_params_max_tokens request_params_max_tokens_created request_params_n
        request_params_n_created request_prefill_kv_computed_tokens
        request_prefill_kv_computed_tokens_created request_prefill_time_seconds
        request_prefill_time_seconds_created request_prompt_tokens request_prompt_tokens_created
        request_queue_time_seconds request_queue_time_seconds_created request_success_created
        request_success_total request_time_per_output_token_seconds
        request_time_per_output_token_seconds_created spec_decode_draft_acceptance_rate
        spec_decode_efficiency spec_decode_num_accepted_tokens_total spec_decode_num_draft_tokens_total
        spec_decode_num_emitted_tokens_total time_in_queue_requests time_per_output_token_seconds
        time_per_output_token_seconds_created time_to_first_token_seconds
        time_to_first_token_seconds_created
    """,
    "sglang:": """
        avg_request_queue_latency cache_hit_rate cached_tokens_total context_len decode_sum_seq_lens
        dp_attention_pairs_total dp_attention_steps_total dp_attention_sync_wait_seconds
        dp_attention_token_imbalance_ratio dp_attention_tokens_total e2e_request_latency_seconds
        engine_load_weights_time engine_startup_time full_token_usage fwd_occupancy gen_throughput
        generation_tokens_histogram generation_tokens_total graph_memory_usage_gb http_requests_active
        http_requests_total http_responses_total inter_token_latency_seconds is_cuda_graph
        kv_available_tokens kv_cache_memory_usage_gb kv_evictable_tokens kv_transfer_alloc_ms
        kv_transfer_bootstrap_ms kv_transfer_latency_ms kv_transfer_speed_gb_s kv_transfer_total_mb
        kv_used_tokens mamba_available_tokens mamba_evictable_tokens mamba_usage mamba_used_tokens
        max_total_num_tokens new_token_ratio num_decode_deferred_kv_release_reqs
        num_decode_host_receive_queue_reqs num_decode_prealloc_queue_reqs num_decode_transfer_queue_reqs
        num_grammar_queue_reqs num_pages num_paused_reqs num_prefill_bootstrap_queue_reqs
        num_prefill_infight_queue_reqs num_prefill_inflight_queue_reqs num_prefill_prealloc_queue_reqs
        num_queue_reqs num_requests_total num_retracted_reqs num_retractions num_running_reqs
        num_running_reqs_offline_batch num_unique_running_routing_keys num_used_tokens page_size
        pending_prealloc_token_usage per_stage_req_latency_seconds prealloc_full_token_usage
        prealloc_swa_token_usage prefill_effective_tokens_total prompt_tokens_histogram prompt_tokens_total
        queue_time_seconds request_time_per_output_token_seconds routing_key_all_req_count
        routing_key_running_req_count routing_keys_active scheduler_idle_seconds_total
        scheduler_process_cpu_seconds_total scheduler_stage_seconds_total spec_accept_length
        spec_accept_rate spec_block_accept_length spec_cap_length spec_num_draft_tokens spec_num_steps
        startup_available_gpu_memory_gb swa_available_tokens swa_evictable_tokens swa_token_usage
        swa_used_tokens time_to_first_token_seconds token_usage total_retracted_reqs
        uncached_prompt_tokens_histogram utilization weight_memory_usage_gb
    """,
    "tgi_": """
        batch_current_max_tokens batch_current_size batch_inference_count batch_inference_success
        batch_max_total_tokens queue_size request_count request_duration request_generated_tokens
        request_inference_duration request_input_length request_mean_time_per_token_duration
        request_queue_duration request_success request_validation_duration
    """,
    "lmdeploy:": """
        backend_config_info cached_tokens_total e2e_request_latency_seconds generation_tokens_total
        gpu_cache_usage_perc iter_token_latency iteration_tokens_total num_api_requests_routed
        num_api_requests_waiting num_requests_completed num_requests_failed num_requests_finished
        num_requests_running num_requests_succeeded num_requests_unfinished num_requests_waiting
        prefix_cache_hit_rate prompt_tokens_total request_cache_hit_ratio request_cached_tokens
        request_decode_time_seconds request_generation_tokens request_inference_time_seconds
        request_prefill_time_seconds request_prompt_tokens request_queue_time_seconds request_success_total
        spec_decode_mean_accept_length spec_decode_mean_accept_rate
        spec_decode_num_accepted_tokens_per_pos_total spec_decode_num_accepted_tokens_total
        spec_decode_num_draft_tokens_total spec_decode_num_drafts_total spec_decode_per_position_accept_rate
        time_per_output_token_seconds time_to_first_token_seconds
    """,
    "trtllm:": """
        e2e_request_latency_seconds gpu_cache_usage_perc inter_token_latency_seconds kv_cache_usage_perc
        num_preemptions_total num_requests_running num_requests_waiting time_to_first_token_seconds
    """,
    "trtllm_": """
        avg_decoded_tokens_per_iter cpu_memory_usage_bytes e2e_request_latency_seconds
        e2e_request_latency_seconds_created generation_tokens_created generation_tokens_total
        gpu_memory_usage_bytes iteration_latency_seconds kv_cache_free_blocks kv_cache_hit_rate
        kv_cache_max_blocks kv_cache_tokens_per_block kv_cache_used_blocks kv_cache_utilization
        max_batch_size_runtime max_batch_size_static max_num_active_requests max_num_tokens_runtime
        num_context_requests num_generation_requests num_paused_requests num_requests_completed_created
        num_requests_completed_total num_requests_running num_requests_waiting num_scheduled_requests
        pinned_memory_usage_bytes prompt_tokens_created prompt_tokens_total request_decode_time_seconds
        request_decode_time_seconds_created request_inference_time_seconds
        request_inference_time_seconds_created request_prefill_time_seconds
        request_prefill_time_seconds_created request_queue_time_seconds request_queue_time_seconds_created
        request_success_created request_success_total spec_decode_acceptance_length
        spec_decode_draft_overhead spec_decode_num_accepted_tokens_total spec_decode_num_draft_tokens_total
        time_per_output_token_seconds time_per_output_token_seconds_created time_to_first_token_seconds
        time_to_first_token_seconds_created total_context_tokens
    """,
    "llamacpp:": """
        kv_cache_tokens kv_cache_usage_ratio n_busy_slots_per_decode n_decode_total n_tokens_max
        predicted_tokens_seconds prompt_seconds_total prompt_tokens_cached_total prompt_tokens_seconds
        prompt_tokens_total requests_deferred requests_processing spec_decode_num_accepted_tokens_total
        spec_decode_num_draft_tokens_total spec_decode_num_drafts_total tokens_predicted_seconds_total
        tokens_predicted_total
    """,
    "nv_trt_llm_": """
        disaggregated_serving_metrics general_metrics inflight_batcher_metrics kv_cache_block_metrics
        request_metrics runtime_memory_metrics
    """,
    "dynamo_": """
        component_cancellation_total component_gpu_cache_usage_percent component_inflight_requests
        component_kv_cache_event_warnings component_kv_cache_events_applied component_kv_cache_hit_rate
        component_kv_publisher_engines_dropped_events_total component_model_load_time_seconds
        component_nats_client_connection_state component_nats_client_connects
        component_nats_client_current_connections component_nats_client_in_messages
        component_nats_client_in_total_bytes component_nats_client_out_messages
        component_nats_client_out_overhead_bytes component_nats_service_active_endpoints
        component_nats_service_active_services component_nats_service_avg_processing_time_ms
        component_nats_service_errors_total component_nats_service_processing_ms_avg
        component_nats_service_processing_ms_total component_nats_service_requests_total
        component_nats_service_total_errors component_nats_service_total_processing_time_ms
        component_nats_service_total_requests component_request_bytes_total
        component_request_duration_seconds component_requests_total component_response_bytes_total
        component_router_input_sequence_tokens component_router_inter_token_latency_seconds
        component_router_kv_hit_rate component_router_kv_transfer_estimated_latency_seconds
        component_router_non_max_overlap_selections_total component_router_output_sequence_tokens
        component_router_overlap_blocks_lost component_router_requests_started_total
        component_router_requests_total component_router_shared_cache_beyond_blocks
        component_router_shared_cache_hit_rate component_router_time_to_first_token_seconds
        component_total_blocks component_uptime_seconds engine_request frontend_active_requests
        frontend_audio_per_request frontend_cached_tokens frontend_client_disconnects
        frontend_detokenize_token_count frontend_detokenize_total_us frontend_disconnected_clients
        frontend_event_loop_delay_seconds frontend_event_loop_stall_total frontend_image_tokens_per_request
        frontend_images_per_request frontend_inflight_requests frontend_inflight_requests_total
        frontend_input_sequence_tokens frontend_inter_token_latency_seconds frontend_model_context_length
        frontend_model_kv_cache_block_size frontend_model_max_num_batched_tokens frontend_model_max_num_seqs
        frontend_model_migration_limit frontend_model_ready frontend_model_total_kv_blocks
        frontend_output_sequence_tokens frontend_output_tokens_total frontend_queued_requests
        frontend_queued_requests_total frontend_request_duration_seconds frontend_requests_started_total
        frontend_requests_total frontend_router_queue_pending_isl_tokens
        frontend_router_queue_pending_requests frontend_stage_duration_seconds frontend_stage_requests
        frontend_template_seconds frontend_time_to_first_token_seconds frontend_tokenize_seconds
        frontend_tokenizer_cache_cached_tokens_total frontend_tokenizer_cache_hits_total
        frontend_tokenizer_cache_misses_total frontend_tokenizer_cache_uncached_tokens_total
        frontend_tokenizer_latency_ms frontend_videos_per_request frontend_worker_active_decode_blocks
        frontend_worker_active_prefill_tokens frontend_worker_last_input_sequence_tokens
        frontend_worker_last_inter_token_latency_seconds frontend_worker_last_time_to_first_token_seconds
        rejection_request_total request_plane_inflight_requests request_plane_queue_seconds
        request_plane_roundtrip_ttft_seconds request_plane_send_seconds request_queue
        router_overhead_block_hashing_ms router_overhead_indexer_find_matches_ms
        router_overhead_scheduling_ms router_overhead_seq_hashing_ms router_overhead_shared_cache_query_ms
        router_overhead_total_ms router_shared_cache_errors_total tokio_alive_tasks
        tokio_blocking_idle_threads tokio_blocking_queue_depth tokio_blocking_threads
        tokio_budget_forced_yield_total tokio_global_queue_depth tokio_queue_overload_warnings_total
        tokio_worker_busy_ratio tokio_worker_local_queue_depth tokio_worker_mean_poll_time_ns
        tokio_worker_overflow_count_total tokio_worker_park_count_total tokio_worker_steal_count_total
        transport_tcp_accept_backoff_total transport_tcp_bytes_received_total transport_tcp_bytes_sent_total
        transport_tcp_errors_total work_handler_enqueue_rejected_total work_handler_network_transit_seconds
        work_handler_permit_wait_seconds work_handler_pool_active_tasks work_handler_pool_capacity
        work_handler_queue_capacity work_handler_queue_depth work_handler_time_to_first_response_seconds
    """,
}
#: Every family, as the engine spells it.
FAMILIES = frozenset(prefix + name for prefix, names in _FAMILIES.items() for name in names.split())
