UPDATE messages SET attachments = told.attachments
FROM (
    SELECT tenant_id, message_id, coalesce(jsonb_agg(jsonb_build_object('source', source,
        'name', name) ORDER BY position) FILTER (WHERE source IS NOT NULL), '[]') AS attachments
    FROM files WHERE message_id IS NOT NULL GROUP BY tenant_id, message_id
) AS told
WHERE messages.tenant_id = told.tenant_id AND messages.id = told.message_id;
DROP TABLE files;
