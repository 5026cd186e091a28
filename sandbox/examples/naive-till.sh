#!/bin/sh
# A naive till with curl, which does not pass the certification. It reports declined for every status but 200, and each press
# is a new purchase. See "Certify a till" in the README.
purchase=$(cat /proc/sys/kernel/random/uuid)
status=$(curl --silent --max-time 20 --cacert "$ENGAGE_CA" --output /dev/null --write-out '%{http_code}' \
    --header "apikey: $ENGAGE_KEY" --header 'User-Agent: NaiveTill/1.0' --header 'Content-Type: application/json' \
    --data "{\"contactId\":\"$ENGAGE_CONTACT\",\"pointShopItemPurchaseId\":\"$purchase\",\"pointShopItemId\":\"$ENGAGE_ITEM\"}" \
    "$ENGAGE_URL/api/v3/point-shop-items/purchase")
if [ "$status" = 200 ]; then
    echo "completed"
    exit 0
fi
echo "failed: $status"
exit 10
